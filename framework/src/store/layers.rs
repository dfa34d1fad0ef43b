//! Rows that are read when they are needed: what the journal holds of them and the checkpoint does
//! not yet is in memory, in two layers; the rest lies behind.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

/// Which rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    /// Messages of kept deliveries, by number.
    KeptMessages,
    /// Their failed attempts, by number and place in the history.
    KeptFailures,
    /// Messages that wait for their time, by due time and number.
    Timers,
    /// Records that are no message, by number.
    Invalid,
}

/// A row's place: its table and two numbers, in the order in which rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowId(pub(super) Table, pub(super) u64, pub(super) u64);

/// A row that is in memory.
#[derive(Clone, Debug)]
pub(super) enum Row {
    /// It cannot be behind: its place was never used before this opening.
    New(Bytes),
    /// It may be behind, in an older version.
    Put(Bytes),
    /// There is none.
    Gone,
}

/// Whether a row's place was used before this opening, or since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Used {
    Never,
    Before,
}

/// Rows in the order of their places.
pub(super) type Rows = BTreeMap<RowId, Row>;

/// What is in memory of the rows.
#[derive(Debug, Default)]
pub(super) struct Layers {
    active: Rows,
    /// About how many bytes the active rows take.
    active_bytes: usize,
    /// What the last checkpoint writes, as for the states.
    frozen: Arc<Rows>,
}

/// What a row in memory takes beside its value.
const ROW_BYTES: usize = 160;

impl Row {
    /// Its value, if it is there.
    pub(super) fn value(&self) -> Option<&Bytes> {
        match self {
            Row::New(value) | Row::Put(value) => Some(value),
            Row::Gone => None,
        }
    }
}

impl Layers {
    /// What is in memory of a row: `None`, nothing; `Some(None)`, that there is no such row.
    pub(super) fn get(&self, id: RowId) -> Option<Option<&Bytes>> {
        self.active.get(&id).or_else(|| self.frozen.get(&id)).map(Row::value)
    }

    /// Writes a row.
    pub(super) fn put(&mut self, id: RowId, value: Bytes, used: Used) {
        let is_new = used == Used::Never && self.get(id).is_none();
        let row = if is_new { Row::New(value) } else { Row::Put(value) };
        self.active_bytes += bytes_of(&row);
        let before = self.active.insert(id, row);
        self.active_bytes -= before.as_ref().map_or(0, bytes_of);
    }

    /// Removes a row. One that came since the last checkpoint leaves nothing to write.
    pub(super) fn remove(&mut self, id: RowId) {
        let before = match self.active.get(&id) {
            Some(Row::New(_)) => self.active.remove(&id),
            _ => {
                self.active_bytes += ROW_BYTES;
                self.active.insert(id, Row::Gone)
            }
        };
        self.active_bytes -= before.as_ref().map_or(0, bytes_of);
    }

    /// About how many bytes the rows take that no checkpoint has begun to write.
    pub(super) fn active_bytes(&self) -> usize {
        self.active_bytes
    }

    /// Sets the rows aside that a checkpoint is going to write; also what the last one wrote, to
    /// be dropped where nobody waits.
    pub(super) fn freeze(&mut self) -> (Arc<Rows>, Arc<Rows>) {
        let frozen = Arc::new(std::mem::take(&mut self.active));
        self.active_bytes = 0;
        let written = std::mem::replace(&mut self.frozen, Arc::clone(&frozen));
        (frozen, written)
    }

    /// The first `most` rows of a table that are in memory, from there on.
    pub(super) fn first(
        &self,
        table: Table,
        from: Bound<RowId>,
        most: usize,
    ) -> Vec<(RowId, Bytes)> {
        let to = Bound::Included(RowId(table, u64::MAX, u64::MAX));
        let within = |rows: &Rows| -> Vec<RowId> {
            let rows = rows.range((from, to));
            // What the active layer says of a row counts, whether it is there or gone.
            let there = rows.filter(|(id, _)| matches!(self.get(**id), Some(Some(_))));
            there.map(|(id, _)| *id).take(most).collect()
        };
        let ids: BTreeSet<_> =
            within(&self.active).into_iter().chain(within(&self.frozen)).collect();
        let row = |id| Some((id, self.get(id)??.clone()));
        ids.into_iter().filter_map(row).take(most).collect()
    }
}

fn bytes_of(row: &Row) -> usize {
    ROW_BYTES + row.value().map_or(0, Bytes::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> RowId {
        RowId(Table::Timers, n, n)
    }

    fn firsts(layers: &Layers, after: Option<u64>, most: usize) -> Vec<u64> {
        let from = after.map_or(Bound::Included(id(0)), |after| Bound::Excluded(id(after)));
        layers.first(Table::Timers, from, most).into_iter().map(|(id, _)| id.1).collect()
    }

    #[test]
    fn the_younger_layer_counts_and_what_is_gone_is_not_there() {
        let mut layers = Layers::default();
        for n in 1..6 {
            layers.put(id(n), Bytes::from_static(b"old"), Used::Never);
        }
        layers.put(RowId(Table::Invalid, 0, 0), Bytes::new(), Used::Never);
        let (frozen, _) = layers.freeze();
        assert_eq!(frozen.len(), 6);
        layers.remove(id(2));
        layers.put(id(3), Bytes::from_static(b"new"), Used::Before);
        layers.put(id(9), Bytes::new(), Used::Never);
        assert_eq!(firsts(&layers, None, 10), [1, 3, 4, 5, 9]);
        assert_eq!(firsts(&layers, Some(3), 2), [4, 5]);
        assert_eq!(layers.get(id(2)), Some(None));
        assert_eq!(layers.get(id(3)), Some(Some(&Bytes::from_static(b"new"))));
        assert_eq!(layers.get(id(7)), None);
        // What came and went between two checkpoints leaves nothing to write.
        layers.remove(id(9));
        assert_eq!(layers.active_bytes(), 2 * ROW_BYTES + 3);
        let (frozen, written) = layers.freeze();
        assert_eq!((frozen.len(), written.len()), (2, 6));
        assert_eq!(layers.active_bytes(), 0);
        assert_eq!(firsts(&layers, None, 10), [3], "the rest lies behind");
    }
}
