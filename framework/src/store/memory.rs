//! A store in memory, for tests: the tables of a store, nothing behind them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::reader::TablesReader;
use super::tables::plan::{Plan, Read};
use super::tables::{Identity, Tables};
use super::{
    Batch, Catalog, CommitError, Durable, OpenStore, Opened, Recovered, Renames, Store, StoreError,
};

/// A store in memory. A clone is the same store: opened again it holds what was committed, as
/// after a restart.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    id: u64,
    /// Every durable change, from the first on: what a journal would hold.
    journal: Vec<super::change::Change>,
    faults: VecDeque<Fault>,
    /// Which opening may write; an earlier one is fenced off.
    opening: u64,
}

/// What goes wrong with a commit, for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The commit goes through.
    None,
    /// There is no room; nothing is written.
    NoRoom,
    /// Every handler's outcome is refused as if its states had been changed by somebody else.
    Conflict,
    /// The commit happens, but the answer is lost.
    UnknownCommitted,
    /// The commit does not happen, and the answer is lost.
    UnknownLost,
    /// Writing fails: the store is poisoned.
    Failed,
}

impl MemoryStore {
    /// An empty store with that id.
    pub fn new(id: u64) -> Self {
        let store = MemoryStore::default();
        store.lock().id = id;
        store
    }

    /// What the next commits meet, in order.
    pub fn inject(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults.extend(faults);
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl OpenStore for MemoryStore {
    async fn open(self: Box<Self>, service: Arc<str>) -> Result<Opened, StoreError> {
        let mut memory = self.lock();
        memory.opening += 1;
        let identity = Identity { service, store: memory.id, epoch: 0 };
        let mut tables = Tables::new(identity);
        for change in memory.journal.iter().cloned() {
            tables.replay(change);
        }
        let opening = memory.opening;
        drop(memory);
        let found = tables.found();
        let reader = Arc::new(TablesReader { shared: Arc::clone(&tables.shared), cold: None });
        let lost = Ok(None);
        let store = OpenMemory { memory: *self, tables, opening, lost };
        Ok(Opened { store: Box::new(store), reader, found, directory: None })
    }
}

struct OpenMemory {
    memory: MemoryStore,
    tables: Tables,
    opening: u64,
    /// The last commit whose answer was lost.
    lost: Result<Option<(u64, Durable)>, StoreError>,
}

impl OpenMemory {
    fn check_owner(&self) -> Result<(), CommitError> {
        match self.memory.lock().opening == self.opening {
            true => Ok(()),
            false => Err(CommitError::Fenced("it was opened again".into())),
        }
    }

    fn write(&mut self, plan: Plan) -> Result<Durable, CommitError> {
        self.check_owner()?;
        let mut memory = self.memory.lock();
        memory.journal.extend(plan.changes.iter().cloned());
        drop(memory);
        self.tables.shared.show(plan.changes, plan.durable.totals);
        self.tables.forget_dirty();
        Ok(plan.durable)
    }
}

#[async_trait]
impl Store for OpenMemory {
    async fn adopt(&mut self, catalog: Catalog, renames: Renames) -> Result<Recovered, StoreError> {
        let plan = self.tables.adopt(catalog, renames)?;
        self.write(plan).map_err(StoreError::failed)?;
        Ok(self.tables.recovered())
    }

    async fn commit(&mut self, batch: &Batch) -> Result<Durable, CommitError> {
        self.lost.clone()?;
        let mut batch = batch.clone();
        let fault = self.memory.lock().faults.pop_front().unwrap_or(Fault::None);
        let id = batch.id;
        match fault {
            Fault::NoRoom => return Err(CommitError::NoRoom("injected".into())),
            Fault::UnknownLost => return Err(CommitError::Unknown(id)),
            Fault::Failed => {
                self.lost = Err(StoreError::failed("injected failure"));
                self.lost.clone()?;
            }
            Fault::Conflict => {
                // A version that no state has.
                let states = batch.entries.iter_mut().flat_map(|entry| &mut entry.states);
                states.for_each(|touch| touch.read = u64::MAX);
            }
            Fault::None | Fault::UnknownCommitted => {}
        }
        // Looked up before anything is decided: one that is fenced off takes no position.
        self.check_owner()?;
        let plan = self.tables.plan(&batch, Read::default())?;
        let durable = self.write(plan)?;
        if fault == Fault::UnknownCommitted {
            self.lost = Ok(Some((id, durable)));
            return Err(CommitError::Unknown(id));
        }
        Ok(durable)
    }

    async fn resolve(&mut self, id: u64) -> Result<Option<Durable>, CommitError> {
        let lost = self.lost.clone()?;
        Ok(lost.filter(|(lost, _)| *lost == id).map(|(_, durable)| durable))
    }

    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Verdict;
    use crate::testing::store_conformance::{Features, SecondOpening, stream};
    use crate::testing::store_conformance::{Leave, Subject, accepted, at, handled};

    fn subject() -> (MemoryStore, Subject) {
        let store = MemoryStore::new(7);
        let again = store.clone();
        let opener = Box::new(move || -> Box<dyn OpenStore> { Box::new(again.clone()) });
        let features = Features { second_opening: SecondOpening::Fences };
        (store, Subject { opener, features, _home: Box::new(()) })
    }

    #[tokio::test]
    async fn an_unknown_commit_has_happened_or_not() {
        let (store, subject) = subject();
        let mut open = subject.open().await;
        store.inject([Fault::UnknownLost, Fault::UnknownCommitted]);
        for (id, happened) in [(1, false), (2, true)] {
            let entries = vec![handled(at(id)).send("out", Some("k"), id)];
            let batch = Batch { entries, ..Batch::default() };
            match open.try_commit(batch).await {
                Err(CommitError::Unknown(unknown)) => assert_eq!(unknown, id),
                other => panic!("{other:?}"),
            }
            let durable = open.store.resolve(id).await.unwrap();
            assert_eq!(durable.is_some(), happened);
            let sent: usize = durable.iter().map(|durable| durable.sent.len()).sum();
            assert_eq!(sent, usize::from(happened));
        }
        let open = subject.reopen(open, Leave::Dropped).await;
        assert_eq!(open.settled(&stream(1)), [(2, 2)]);
        assert_eq!(open.outbox().len(), 1);
    }

    #[tokio::test]
    async fn faults_have_no_effect_but_their_own() {
        let (store, subject) = subject();
        let mut open = subject.open().await;
        store.inject([Fault::NoRoom, Fault::Conflict, Fault::None, Fault::Failed]);
        let entry = || handled(at(1)).put("k", 0, "1").send("out", Some("k"), "x");
        let batch = || Batch { entries: vec![entry()], ..Batch::default() };
        assert!(matches!(open.try_commit(batch()).await, Err(CommitError::NoRoom(_))));
        assert_eq!(open.one(entry()).await, Verdict::Conflict);
        let durable = open.try_commit(batch()).await.unwrap();
        assert_eq!((durable.verdicts[0], durable.sent[0].sequence), (Verdict::Applied, 1));
        for _ in 0..2 {
            assert!(matches!(open.try_commit(batch()).await, Err(CommitError::Failed(_))));
        }
        let mut open = subject.reopen(open, Leave::Dropped).await;
        assert_eq!(open.one(accepted()).await, Verdict::Applied, "opened again, it goes on");
        assert_eq!(open.settled(&stream(1)), [(1, 1)]);
    }
}
