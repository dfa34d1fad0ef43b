//! What readers may see: durable states, intake numbers and counts, changed only after the sync.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::change::{Change, Id, StateRow};
use super::names::Interner;
use super::{StoreError, StoredState};
use crate::delivery::StateValue;
use crate::stream::Key;

/// The states of one name, by key.
pub(super) type ByKey = HashMap<Key, StoredState>;

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

/// What the journal holds and the checkpoint does not yet; in two parts while one is written.
#[derive(Debug, Default)]
pub(super) struct Memtable {
    pub(super) names: Interner<Arc<str>>,
    pub(super) state_names: Interner<Arc<str>>,
    active: BTreeMap<Id, ByKey>,
    /// What the running checkpoint writes.
    frozen: Arc<BTreeMap<Id, ByKey>>,
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
                    memtable.sent.insert((row.topic, row.slot), row.sequence);
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

    /// Sets the states aside that a checkpoint is going to write.
    pub(super) fn freeze(&self) -> Arc<BTreeMap<Id, ByKey>> {
        let mut memtable = self.write();
        let frozen = Arc::new(std::mem::take(&mut memtable.active));
        memtable.frozen = Arc::clone(&frozen);
        frozen
    }

    /// Lets go of what a checkpoint has written.
    pub(super) fn thaw(&self) {
        self.write().frozen = Arc::default();
    }

    /// The current version of a state.
    pub(super) fn version(
        &self,
        name: Id,
        key: &str,
        cold: Option<&dyn Cold>,
    ) -> Result<u64, StoreError> {
        if let Some(found) = self.read().get(name, key) {
            return Ok(found.version);
        }
        cold.map_or(Ok(0), |cold| Ok(cold.state(name, key)?.version))
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

    /// The states of a name behind `after` that are in memory, in key order, newest value each.
    pub(super) fn in_order(&self, name: Id, after: Option<&str>) -> BTreeMap<Key, StoredState> {
        let mut found = BTreeMap::new();
        for part in [&*self.frozen, &self.active] {
            let states = part.get(&name).into_iter().flatten();
            let behind = states.filter(|(key, _)| after.is_none_or(|after| &***key > after));
            found.extend(behind.map(|(key, state)| (Arc::clone(key), state.clone())));
        }
        found
    }
}

/// Up to `most` states in key order, memory over checkpoint.
pub(super) fn scan(
    shared: &Shared,
    cold: Option<&dyn Cold>,
    name: &Arc<str>,
    after: Option<&str>,
    most: usize,
) -> Result<Vec<(Key, StateValue)>, StoreError> {
    // The lock is held over the whole look, so that a checkpoint cannot move a state meanwhile.
    let memtable = shared.read();
    let Some(id) = memtable.state_names.id(name) else { return Ok(Vec::new()) };
    let mut found = BTreeMap::new();
    for state in cold.into_iter().flat_map(|cold| cold.scan(id, after.unwrap_or_default())) {
        let (key, state) = state?;
        if after.is_some_and(|after| &*key <= after) || memtable.get(id, &key).is_some() {
            continue;
        }
        found.insert(key, state);
        if found.len() >= most {
            break;
        }
    }
    found.extend(memtable.in_order(id, after));
    let values = found.into_iter().filter_map(|(key, state)| Some((key, state.value?)));
    Ok(values.take(most).collect())
}
