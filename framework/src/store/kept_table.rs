//! The kept deliveries, without their messages: limited in number, so all of them are in memory.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Id, KeptRow, Place};
use super::layers::{RowId, Table};
use super::{Totals, UNHANDLED_NUMBERS, Wait};

/// The first failures that a history keeps, and the newest ones.
const FIRST: u32 = 4;
const NEWEST: u32 = 12;

/// What is kept.
#[derive(Debug)]
pub(super) struct KeptTable {
    rows: BTreeMap<u64, KeptRow>,
    /// The number of the next one.
    pub(super) next: u64,
    /// The number of the first that may be new in this opening: lower ones were used before, and
    /// histories of theirs may lie behind.
    pub(super) first_new: u64,
    /// Of the deliveries alone.
    totals: Totals,
    pub(super) dirty: Dirty,
    /// The rows that a checkpoint has written, or may have.
    in_base: BTreeSet<u64>,
}

/// What a checkpoint has to write.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    pub(super) changed: BTreeSet<u64>,
    /// Rows of the last checkpoint that are gone.
    pub(super) removed: Vec<u64>,
}

impl Default for KeptTable {
    fn default() -> Self {
        KeptTable {
            rows: BTreeMap::new(),
            next: 1,
            first_new: 1,
            totals: Totals::default(),
            dirty: Dirty::default(),
            in_base: BTreeSet::new(),
        }
    }
}

impl KeptTable {
    pub(super) fn get(&self, number: u64) -> Option<&KeptRow> {
        self.rows.get(&number)
    }

    /// Whether the number is that of this position's delivery to this handler.
    pub(super) fn is_of(&self, number: u64, place: Option<Place>, handler: Option<Id>) -> bool {
        self.rows
            .get(&number)
            .is_some_and(|row| Some(row.place) == place && Some(row.handler) == handler)
    }

    /// Whether a delivery that is kept from here on may have the number. Those of several lanes
    /// come in any order.
    pub(super) fn is_free(&self, number: u64) -> bool {
        number >= self.first_new && !self.rows.contains_key(&number)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &KeptRow> {
        self.rows.values()
    }

    /// Whether a message that no handler takes has the number.
    pub(super) fn is_unhandled(&self, number: u64) -> bool {
        self.rows.get(&number).is_some_and(|row| row.wait == Wait::Unhandled)
    }

    /// The deliveries: all but messages that no handler takes.
    pub(super) fn deliveries(&self) -> impl Iterator<Item = &KeptRow> {
        self.rows().filter(|row| row.wait != Wait::Unhandled)
    }

    pub(super) fn set(&mut self, row: KeptRow) {
        self.next = self.next.max(next_after(&row));
        self.dirty.changed.insert(row.number);
        self.insert(row);
    }

    pub(super) fn remove(&mut self, number: u64) {
        if let Some(old) = self.rows.remove(&number) {
            self.count(&old, u64::wrapping_sub);
        }
        self.dirty.changed.remove(&number);
        if self.in_base.remove(&number) {
            self.dirty.removed.push(number);
        }
    }

    /// Puts back what a checkpoint wrote.
    pub(super) fn load(&mut self, row: KeptRow) {
        self.next = self.next.max(next_after(&row));
        self.in_base.insert(row.number);
        self.insert(row);
    }

    /// What a checkpoint has to write; from here on it counts as written.
    pub(super) fn take_dirty(&mut self) -> Dirty {
        let dirty = std::mem::take(&mut self.dirty);
        self.in_base.extend(&dirty.changed);
        dirty
    }

    /// How many there are, and their bytes.
    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    fn insert(&mut self, row: KeptRow) {
        self.count(&row, u64::wrapping_add);
        if let Some(old) = self.rows.insert(row.number, row) {
            self.count(&old, u64::wrapping_sub);
        }
    }

    fn count(&mut self, row: &KeptRow, with: fn(u64, u64) -> u64) {
        let Totals { held, waiting, dead, kept_bytes, unhandled, unhandled_bytes, .. } =
            &mut self.totals;
        let (number, bytes) = match row.wait {
            Wait::Held => (held, kept_bytes),
            Wait::Until(_) => (waiting, kept_bytes),
            Wait::Dead { .. } => (dead, kept_bytes),
            Wait::Unhandled => (unhandled, unhandled_bytes),
        };
        *number = with(*number, 1);
        *bytes = with(*bytes, row.bytes.into());
    }
}

/// The first number behind those that a row takes.
fn next_after(row: &KeptRow) -> u64 {
    let numbers = if row.wait == Wait::Unhandled { UNHANDLED_NUMBERS } else { 1 };
    row.number.saturating_add(numbers)
}

/// Where a history keeps its failure of that number, from 0: the newest ones take turns.
pub(super) fn failure_row(number: u64, failure: u32) -> RowId {
    let place = match failure.checked_sub(FIRST) {
        None => failure,
        Some(behind) => FIRST + behind % NEWEST,
    };
    RowId(Table::KeptFailures, number, place.into())
}

/// The rows of a history of so many failures.
pub(super) fn failure_rows(number: u64, failures: u32) -> impl Iterator<Item = RowId> {
    (0..failures.min(FIRST + NEWEST)).map(move |failure| failure_row(number, failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u64, wait: Wait, bytes: u32) -> KeptRow {
        KeptRow {
            number,
            place: Place::Stream(0, number),
            handler: 0,
            key: None,
            since_ms: 0,
            wait,
            attempts: 0,
            late: false,
            bytes,
            failures: 0,
        }
    }

    #[test]
    fn totals_follow_what_comes_changes_and_goes() {
        let mut kept = KeptTable::default();
        kept.set(row(4, Wait::Until(9), 10));
        kept.set(row(5, Wait::Held, 100));
        let dead = Wait::Dead { since_ms: 1, skip_ms: None };
        kept.set(row(4, dead, 10));
        let Totals { held, waiting, dead, kept_bytes, .. } = kept.totals();
        assert_eq!((held, waiting, dead, kept_bytes), (1, 0, 1, 110));
        kept.remove(5);
        kept.remove(5);
        let expected = Totals { dead: 1, kept_bytes: 10, ..Totals::default() };
        assert_eq!((kept.totals(), kept.next), (expected, 6));
    }

    #[test]
    fn an_unhandled_message_has_totals_and_numbers_of_its_own() {
        let mut kept = KeptTable::default();
        kept.set(row(4, Wait::Unhandled, 10));
        let expected = Totals { unhandled: 1, unhandled_bytes: 10, ..Totals::default() };
        assert_eq!((kept.totals(), kept.next), (expected, 4 + UNHANDLED_NUMBERS));
        assert!(kept.is_unhandled(4) && kept.deliveries().next().is_none());
        kept.set(row(4, Wait::Held, 10));
        let expected = Totals { held: 1, kept_bytes: 10, ..Totals::default() };
        assert_eq!((kept.totals(), kept.next), (expected, 4 + UNHANDLED_NUMBERS));
    }

    #[test]
    fn what_came_and_went_between_two_checkpoints_is_never_written() {
        let mut kept = KeptTable::default();
        kept.set(row(1, Wait::Held, 0));
        kept.remove(1);
        let dirty = kept.take_dirty();
        assert!(dirty.changed.is_empty() && dirty.removed.is_empty());
        kept.set(row(2, Wait::Held, 0));
        assert_eq!(kept.take_dirty().changed, [2].into());
        kept.remove(2);
        assert_eq!(kept.take_dirty().removed, [2]);
    }

    #[test]
    fn a_history_keeps_its_first_four_and_its_last_twelve() {
        let mut rows = BTreeMap::new();
        for failure in 0..40 {
            rows.insert(failure_row(7, failure), failure);
        }
        let left: BTreeSet<_> = rows.values().copied().collect();
        assert_eq!(left, (0..4).chain(28..40).collect());
        assert!(failure_rows(7, 40).eq(rows.into_keys()));
        assert_eq!(failure_rows(7, 2).count(), 2);
    }
}
