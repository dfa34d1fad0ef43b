//! What readers may see: durable states, intake numbers and counts, changed only after the sync.

use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::change::{Change, Id, StateRow};
use super::names::Interner;
use super::{StoreError, StoredState};
use crate::delivery::StateValue;
use crate::hash::FastMap;
use crate::stream::Key;

/// The states of one name, by key.
pub(super) type ByKey = FastMap<Key, StoredState>;

/// The states behind the memtable: what a checkpoint has written.
pub(super) trait Cold: std::fmt::Debug + Send + Sync + 'static {
    /// One state.
    fn state(&self, name: Id, key: &str) -> Result<StoredState, StoreError>;

    /// States of a name in key order, from `from` on.
    fn scan(
        &self,
        name: Id,
        from: &str,
    ) -> Box<dyn Iterator<Item = Result<(Key, StoredState), StoreError>> + '_>;
}

/// What is durable, shared between the committer and the readers.
#[derive(Debug, Default)]
pub(super) struct Shared(RwLock<Memtable>);

/// What the journal holds and the checkpoint does not yet, in two parts.
#[derive(Debug, Default)]
pub(super) struct Memtable {
    pub(super) names: Interner<Arc<str>>,
    pub(super) state_names: Interner<Arc<str>>,
    active: BTreeMap<Id, ByKey>,
    /// What the last checkpoint writes. Kept when it has ended, until the next one begins: so no
    /// state moves behind the memtable at another moment, and what is hot is read from memory.
    frozen: Arc<BTreeMap<Id, ByKey>>,
    /// How many checkpoints have begun. Whoever looks into the memtable and then behind it looks
    /// again if one began meanwhile.
    pub(super) checkpoints: u64,
    pub(super) intake: BTreeMap<Arc<str>, u64>,
    /// The last sequence that was given, by topic and slot.
    pub(super) sent: BTreeMap<(Id, u8), u64>,
}

impl Shared {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Memtable> {
        // Writers only move plain data in; a panic leaves nothing half-done that matters, for
        // the service that panicked stops.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Memtable> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows what has become durable.
    pub(super) fn show(&self, changes: Vec<Change>) {
        let mut memtable = self.write();
        for change in changes {
            match change {
                Change::State(row) => memtable.put(row),
                Change::Intake(source, next) => {
                    memtable.intake.insert(source, next);
                }
                Change::Send(row) => {
                    let last = memtable.sent.entry((row.topic, row.slot)).or_default();
                    *last = row.sequence.max(*last);
                }
                Change::Name(id, name) => memtable.names.set(id, name),
                Change::StateName(id, name, _) => memtable.state_names.set(id, name),
                _ => {}
            }
        }
    }

    /// Changes what readers see in one step; for loading.
    pub(super) fn update(&self, change: impl FnOnce(&mut Memtable)) {
        change(&mut self.write());
    }

    /// Sets the states aside that a checkpoint is going to write. The one before has ended: what
    /// it wrote is read from behind the memtable from here on.
    pub(super) fn freeze(&self) -> Arc<BTreeMap<Id, ByKey>> {
        let mut memtable = self.write();
        let frozen = Arc::new(std::mem::take(&mut memtable.active));
        memtable.checkpoints += 1;
        let written = std::mem::replace(&mut memtable.frozen, Arc::clone(&frozen));
        drop(memtable);
        // Freed when nobody waits for the lock.
        drop(written);
        frozen
    }
}

impl Memtable {
    /// A state that is in memory.
    pub(super) fn get(&self, name: Id, key: &str) -> Option<&StoredState> {
        self.active
            .get(&name)
            .and_then(|states| states.get(key))
            .or_else(|| self.frozen.get(&name)?.get(key))
    }

    fn put(&mut self, row: StateRow) {
        let StateRow { name, key, version, schema, json } = row;
        let value = json.map(|json| StateValue { schema, json });
        let version = if value.is_some() { version } else { 0 };
        self.active.entry(name).or_default().insert(key, StoredState { version, value });
    }

    /// The first `most` states of a name behind `after` that are in memory and not deleted.
    pub(super) fn first(
        &self,
        name: Id,
        after: Option<&str>,
        most: usize,
    ) -> Vec<(Key, StateValue)> {
        // The heap's top is the highest of the lowest keys that were met.
        let mut lowest: BinaryHeap<&Key> = BinaryHeap::new();
        let active = self.active.get(&name);
        let overwritten = |key: &Key| active.is_some_and(|states| states.contains_key(key));
        let old = self.frozen.get(&name).into_iter().flatten();
        let old = old.filter(|(key, _)| !overwritten(key));
        for (key, state) in active.into_iter().flatten().chain(old) {
            let is_behind = after.is_none_or(|after| &**key > after);
            let is_low = lowest.len() < most || lowest.peek().is_some_and(|&top| key < top);
            if is_behind && is_low && state.value.is_some() {
                lowest.push(key);
                if lowest.len() > most {
                    lowest.pop();
                }
            }
        }
        let value = |key: &Key| Some((Arc::clone(key), self.get(name, key)?.value.clone()?));
        lowest.into_iter().filter_map(value).collect()
    }
}
