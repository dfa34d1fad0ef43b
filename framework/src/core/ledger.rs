//! Acknowledgements: a record is settled at its broker only by a durable frame that answers for it.

use std::collections::BTreeSet;

use crate::hash::FastMap;
use crate::ids::{FrameNo, PartitionIx, RecordRef};
use crate::table::cursor::CursorTable;
use crate::table::frame::Frame;

/// The offset below which a partition is done, as a durable commit says. Only [`Ledger::durable`]
/// makes one, so that nothing is acknowledged before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    partition: PartitionIx,
    next: u64,
}

impl Committed {
    pub(crate) fn partition(&self) -> PartitionIx {
        self.partition
    }

    /// The offset below which every record is done.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }
}

/// The records of each partition that are not done.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    partitions: FastMap<PartitionIx, Partition>,
    /// Partitions that have changed since the last frame was sealed.
    touched: BTreeSet<PartitionIx>,
    /// Cursors that are sealed into a frame, and not durable.
    sealed: Vec<(FrameNo, Committed)>,
}

#[derive(Debug, Default)]
struct Partition {
    /// Behind the last record that came.
    next: u64,
    /// Records before it that are not done.
    open: BTreeSet<u64>,
}

impl Ledger {
    /// Knows how far a partition was done.
    pub(crate) fn recover(&mut self, partition: PartitionIx, next: u64) {
        self.partitions.entry(partition).or_default().next = next;
    }

    fn touch(&mut self, partition: PartitionIx) -> &mut Partition {
        self.touched.insert(partition);
        self.partitions.entry(partition).or_default()
    }

    /// A record is done with the frame that is gathered, or was before.
    pub(crate) fn pass(&mut self, record: RecordRef) {
        let partition = self.touch(record.partition);
        partition.open.remove(&record.offset);
        partition.next = partition.next.max(record.offset.saturating_add(1));
    }

    /// A record is not done.
    pub(crate) fn hold(&mut self, record: RecordRef) {
        let partition = self.partitions.entry(record.partition).or_default();
        partition.open.insert(record.offset);
        partition.next = partition.next.max(record.offset.saturating_add(1));
    }

    pub(crate) fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// Puts the cursors of what has changed into a frame that is sealed.
    pub(crate) fn seal(&mut self, no: FrameNo, frame: &mut Frame) {
        for partition in std::mem::take(&mut self.touched) {
            let Some(found) = self.partitions.get(&partition) else { continue };
            let next = found.open.first().copied().unwrap_or(found.next);
            frame.put::<CursorTable>(&partition, &next);
            self.sealed.push((no, Committed { partition, next }));
        }
    }

    /// All frames through this one are durable: how far their partitions are done.
    pub(crate) fn durable(&mut self, through: FrameNo) -> Vec<Committed> {
        let sealed = std::mem::take(&mut self.sealed);
        let (done, left): (Vec<_>, Vec<_>) = sealed.into_iter().partition(|(no, _)| *no <= through);
        self.sealed = left;
        done.into_iter().map(|(_, committed)| committed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: u64) -> RecordRef {
        RecordRef { partition: PartitionIx(1), offset }
    }

    fn next(ledger: &mut Ledger, no: u64) -> Vec<u64> {
        ledger.seal(FrameNo(no), &mut Frame::default());
        ledger.durable(FrameNo(no)).iter().map(Committed::next).collect()
    }

    #[test]
    fn a_cursor_stays_below_the_first_record_that_is_not_done() {
        let mut ledger = Ledger::default();
        ledger.recover(PartitionIx(1), 4);
        assert!(next(&mut ledger, 1).is_empty(), "nothing has changed");
        ledger.pass(record(4));
        ledger.hold(record(5));
        ledger.pass(record(7));
        assert_eq!(next(&mut ledger, 2), [5]);
        ledger.pass(record(5));
        assert_eq!(next(&mut ledger, 3), [8]);
        // Offsets that came before come again.
        ledger.pass(record(5));
        assert_eq!(next(&mut ledger, 4), [8]);
    }

    #[test]
    fn what_is_not_durable_is_not_settled() {
        let mut ledger = Ledger::default();
        ledger.pass(record(0));
        ledger.seal(FrameNo(1), &mut Frame::default());
        ledger.pass(record(1));
        assert_eq!(ledger.durable(FrameNo(0)), []);
        assert_eq!(ledger.durable(FrameNo(1)), [Committed { partition: PartitionIx(1), next: 1 }]);
        assert_eq!(ledger.durable(FrameNo(1)), [], "each once");
        assert!(ledger.is_touched());
    }
}
