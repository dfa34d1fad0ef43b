//! What readers may see: durable states, kept deliveries, timers, intake numbers and counts,
//! changed only after the sync.

use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use super::change::{Change, Id, KeptRow, Place as At, StateRow};
use super::form::encode_exact;
use super::kept_table::{failure_row, failure_rows};
use super::layers::{Layers, RowId, Rows, Table, Used};
use super::names::Interner;
use super::{Kept, Scheduled, StoreError, StoredState, Totals};
use crate::delivery::StateValue;
use crate::hash::FastMap;
use crate::stream::{Key, PartitionId, Position, StreamId};

/// The states of one name, by key.
pub(super) type ByKey = FastMap<Key, StoredState>;

/// States set aside for a checkpoint, by the number of their name.
pub(super) type States = BTreeMap<Id, ByKey>;

/// What is behind the memtable: what a checkpoint has written.
pub(super) trait Cold: std::fmt::Debug + Send + Sync + 'static {
    /// One state.
    fn state(&self, name: Id, key: &str) -> Result<StoredState, StoreError>;

    /// States of a name in key order, from `from` on.
    fn scan(
        &self,
        name: Id,
        from: &str,
    ) -> Box<dyn Iterator<Item = Result<(Key, StoredState), StoreError>> + '_>;

    /// The value of a row.
    fn row(&self, id: RowId) -> Result<Option<Bytes>, StoreError>;

    /// The rows of a table in order, from `from` on.
    fn rows(
        &self,
        from: RowId,
    ) -> Box<dyn Iterator<Item = Result<(RowId, Bytes), StoreError>> + '_>;
}

/// When a change that is shown became durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// In this opening.
    Now,
    /// Before it: a checkpoint may have it, or what came after it, already.
    Before,
}

/// What is durable, shared between the committer and the readers.
#[derive(Debug, Default)]
pub(super) struct Shared(RwLock<Memtable>);

/// What the journal holds and the checkpoint does not yet, in two parts.
#[derive(Debug, Default)]
pub(super) struct Memtable {
    pub(super) names: Interner<Arc<str>>,
    pub(super) state_names: Interner<Arc<str>>,
    pub(super) streams: Interner<Arc<StreamId>>,
    pub(super) partitions: Interner<Arc<PartitionId>>,
    active: States,
    /// What the last checkpoint writes. Kept when it has ended, until the next one begins: so no
    /// state moves behind the memtable at another moment, and what is hot is read from memory.
    frozen: Arc<States>,
    /// How many checkpoints have begun. Whoever looks into the memtable and then behind it looks
    /// again if one began meanwhile.
    pub(super) checkpoints: u64,
    pub(super) intake: BTreeMap<Arc<str>, u64>,
    pub(super) schedules: BTreeMap<Arc<str>, Scheduled>,
    /// The last sequence that was given, by topic and slot.
    pub(super) sent: BTreeMap<(Id, u8), u64>,
    /// Kept deliveries, their messages aside.
    pub(super) kept: BTreeMap<u64, KeptRow>,
    /// Their messages, timers, and records that are no message.
    pub(super) rows: Layers,
    /// No timer lies before this. Those that went since the last checkpoint are still behind, and
    /// reading past all of them for each of the next ones would take ever longer.
    timers_from: Mutex<(u64, u64)>,
    pub(super) totals: Totals,
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

    /// Shows what has become durable, and how much is kept now.
    pub(super) fn show(&self, changes: Vec<Change>, totals: Totals) {
        let mut memtable = self.write();
        changes.into_iter().for_each(|change| memtable.show(change, Shown::Now));
        memtable.totals = totals;
    }

    /// Shows what was durable before this opening.
    pub(super) fn replay(&self, change: Change) {
        self.write().show(change, Shown::Before);
    }

    /// Changes what readers see in one step; for loading.
    pub(super) fn update(&self, change: impl FnOnce(&mut Memtable)) {
        change(&mut self.write());
    }

    /// Sets the states and rows aside that a checkpoint is going to write. The one before has
    /// ended: what it wrote is read from behind the memtable from here on.
    pub(super) fn freeze(&self) -> (Arc<States>, Arc<Rows>) {
        let mut memtable = self.write();
        let frozen = Arc::new(std::mem::take(&mut memtable.active));
        memtable.checkpoints += 1;
        let written = std::mem::replace(&mut memtable.frozen, Arc::clone(&frozen));
        let (frozen_rows, written_rows) = memtable.rows.freeze();
        drop(memtable);
        // Freed when nobody waits for the lock.
        drop((written, written_rows));
        (frozen, frozen_rows)
    }
}

impl Memtable {
    fn show(&mut self, change: Change, shown: Shown) {
        match change {
            Change::State(row) => self.put(row),
            Change::Intake(source, next) => {
                let known = self.intake.entry(source).or_default();
                *known = next.max(*known);
            }
            Change::SourceGone(source) => {
                self.intake.remove(&source);
            }
            Change::Scheduled(schedule) => {
                self.schedules.insert(Arc::clone(&schedule.name), schedule);
            }
            Change::ScheduleGone(name) => drop(self.schedules.remove(&name)),
            Change::Send(row) => {
                let last = self.sent.entry((row.topic, row.slot)).or_default();
                *last = row.sequence.max(*last);
            }
            Change::Name(id, name) => self.names.set(id, name),
            Change::StateName(id, name, _) => self.state_names.set(id, name),
            Change::Stream(id, stream) => self.streams.set(id, Arc::new(stream)),
            Change::Partition(id, partition) => self.partitions.set(id, Arc::new(partition)),
            change => self.show_kept(change, shown),
        }
    }

    fn show_kept(&mut self, change: Change, shown: Shown) {
        let used = if shown == Shown::Now { Used::Never } else { Used::Before };
        match change {
            Change::Kept(row) => {
                self.kept.insert(row.number, row);
            }
            Change::KeptMessage(number, message) => {
                let id = RowId(Table::KeptMessages, number, 0);
                self.rows.put(id, encode_exact(&message), used);
            }
            Change::KeptFailure(number, nth, failure) => {
                // The newest ones take turns.
                self.rows.put(
                    failure_row(number, nth),
                    encode_exact(&(nth, failure)),
                    Used::Before,
                );
            }
            Change::KeptGone(number, failures) => {
                self.kept.remove(&number);
                self.rows.remove(RowId(Table::KeptMessages, number, 0));
                failure_rows(number, failures).for_each(|id| self.rows.remove(id));
            }
            Change::Timer(row) => {
                let from = self.timers_from.get_mut().unwrap_or_else(PoisonError::into_inner);
                *from = (*from).min((row.timer.due_ms, row.timer.number));
                let id = RowId(Table::Timers, row.timer.due_ms, row.timer.number);
                self.rows.put(id, encode_exact(&row), used);
            }
            Change::TimerGone(timer) => {
                self.rows.remove(RowId(Table::Timers, timer.due_ms, timer.number));
            }
            Change::Invalid(number, message) => {
                let id = RowId(Table::Invalid, number, 0);
                self.rows.put(id, encode_exact(&message), used);
            }
            Change::InvalidGone(number) => self.rows.remove(RowId(Table::Invalid, number, 0)),
            _ => {}
        }
    }

    /// Where to begin to read a table's rows behind `after`, that place included.
    pub(super) fn begin(&self, table: Table, after: Option<RowId>) -> RowId {
        let (first, second) = match table {
            Table::Timers => *self.timers_from.lock().unwrap_or_else(PoisonError::into_inner),
            _ => (0, 0),
        };
        after.unwrap_or(RowId(table, first, second))
    }

    /// Notes which timer is the first one; none: there is none.
    pub(super) fn timers_begin_at(&self, first: Option<RowId>) {
        let first = first.map_or((u64::MAX, u64::MAX), |RowId(_, due, number)| (due, number));
        *self.timers_from.lock().unwrap_or_else(PoisonError::into_inner) = first;
    }

    /// A kept delivery by what its numbers stand for.
    pub(super) fn kept_of(&self, row: &KeptRow) -> Option<Kept> {
        Some(Kept {
            number: row.number,
            position: match row.place {
                At::Stream(id, n) => Position::Stream(Arc::clone(self.streams.get(id)?), n),
                At::Foreign(id, n) => Position::Foreign(Arc::clone(self.partitions.get(id)?), n),
            },
            handler: Arc::clone(self.names.get(row.handler)?),
            key: row.key.clone(),
            since_ms: row.since_ms,
            wait: row.wait,
            attempts: row.attempts,
            late: row.late,
            bytes: row.bytes,
        })
    }

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
