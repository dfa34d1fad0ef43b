//! Admit: envelope → what is to be done for it. Knows every position that is settled or in
//! progress, so that one message is one effect however often it comes.

use std::sync::Arc;

use crate::committed::RecordRef;
use crate::envelope::Envelope;
use crate::hash::FastMap;
use crate::store::Recovered;
use crate::stream::{PartitionId, Position, Ranges, StreamId};
use crate::wiring::{Route, Wiring};

/// What becomes of a message that came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// These handlers are to handle it.
    Start(Vec<usize>),
    /// A copy of it is in progress: this one is settled with that one.
    Joined,
    /// It is settled, or will be by an outcome that is queued already.
    Duplicate,
    /// Nothing here takes it.
    NotMine,
}

/// The positions that this process knows of. Its maps are looked up, never walked.
#[derive(Debug, Default)]
pub(crate) struct Admit {
    /// What was ever admitted of each stream.
    streams: FastMap<Arc<StreamId>, Ranges>,
    /// The same for what others have sent, by partition.
    partitions: FastMap<Arc<PartitionId>, Ranges>,
    /// Handlers that are still to do, for positions of which some are done since before the start.
    pending: FastMap<Position, Vec<Arc<str>>>,
    in_progress: FastMap<Position, Progress>,
}

/// A position in progress.
#[derive(Debug)]
struct Progress {
    /// Handlers that have no outcome queued yet.
    left: usize,
    /// Handlers that it was admitted for.
    handlers: usize,
    /// The records that carried it, to be settled with it.
    copies: Vec<RecordRef>,
}

impl Admit {
    /// Knows what the store knows.
    pub(crate) fn new(recovered: &Recovered) -> Self {
        Admit {
            streams: recovered.inbox.iter().cloned().collect(),
            partitions: recovered.cursors.iter().cloned().collect(),
            pending: recovered.pending.iter().cloned().collect(),
            in_progress: FastMap::default(),
        }
    }

    /// Decides what is to be done for a message, and remembers that it came.
    pub(crate) fn admit(
        &mut self,
        envelope: &Envelope,
        record: &RecordRef,
        wiring: &Wiring,
    ) -> Admission {
        let position = &envelope.position;
        if let Some(progress) = self.in_progress.get_mut(position) {
            progress.copies.push(record.clone());
            return Admission::Joined;
        }
        if !self.see(position) {
            return Admission::Duplicate;
        }
        let route = wiring.route(&envelope.topic, &envelope.type_name);
        let handlers = match self.pending.remove(position) {
            Some(pending) => wiring.numbers(&pending),
            None => route.map_or_else(Vec::new, |route: &Route| route.handlers.clone()),
        };
        if handlers.is_empty() {
            return Admission::NotMine;
        }
        let (left, copies) = (handlers.len(), vec![record.clone()]);
        let progress = Progress { left, handlers: left, copies };
        self.in_progress.insert(position.clone(), progress);
        Admission::Start(handlers)
    }

    /// A further copy of a position whose outcome was refused and is in progress again; whether
    /// it is.
    pub(crate) fn join(
        &mut self,
        position: &Position,
        copies: Vec<RecordRef>,
    ) -> Option<Vec<RecordRef>> {
        match self.in_progress.get_mut(position) {
            Some(progress) => {
                progress.copies.extend(copies);
                None
            }
            None => Some(copies),
        }
    }

    /// A handler's outcome for a position is queued for commit. After the last one: the records
    /// that are done with it. And for how many handlers it was admitted. What comes after this is a duplicate, queued behind the outcome.
    pub(crate) fn outcome(&mut self, position: &Position) -> (Vec<RecordRef>, usize) {
        let Some(progress) = self.in_progress.get_mut(position) else { return (Vec::new(), 0) };
        progress.left = progress.left.saturating_sub(1);
        if progress.left > 0 {
            return (Vec::new(), progress.handlers);
        }
        let ended = self.in_progress.remove(position);
        ended.map_or((Vec::new(), 0), |progress| (progress.copies, progress.handlers))
    }

    /// A queued outcome was refused: its handler is to do again.
    pub(crate) fn reopen(&mut self, position: &Position, copies: Vec<RecordRef>) {
        // Others may be on their way: its records go behind all of them.
        let none = || Progress { left: 0, handlers: 2, copies: Vec::new() };
        let progress = self.in_progress.entry(position.clone()).or_insert_with(none);
        progress.left += 1;
        progress.copies.extend(copies);
    }

    /// Remembers that a position came; whether it is new, or was left half done before the start.
    pub(crate) fn see(&mut self, position: &Position) -> bool {
        match position {
            Position::Stream(stream, sequence) => match self.streams.get_mut(stream) {
                Some(seen) => seen.insert(*sequence),
                None => {
                    let seen = self.streams.entry(Arc::clone(stream)).or_default();
                    seen.insert(*sequence)
                }
            },
            Position::Foreign(partition, offset) => match self.partitions.get_mut(partition) {
                Some(seen) => pass(seen, *offset),
                None => {
                    let seen = self.partitions.entry(Arc::clone(partition)).or_default();
                    pass(seen, *offset)
                }
            },
        }
    }
}

/// Adds an offset with those that were passed on the way to it: records with positions of their
/// own lie between, and a partition where both kinds mix must stay one range. Whether it is new.
fn pass(seen: &mut Ranges, offset: u64) -> bool {
    if seen.contains(offset) {
        return false;
    }
    // A partition is read in the order of its offsets, so none below comes as new any more.
    let below = seen.runs().iter().rev().find(|&&(_, last)| last < offset);
    let first = below.map_or(offset, |&(_, last)| last + 1);
    seen.insert_run(first, offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_that_mixes_records_of_both_kinds_stays_one_range() {
        let mut seen = Ranges::default();
        seen.insert_run(0, 5);
        assert!((7..1_000).step_by(3).all(|offset| pass(&mut seen, offset)));
        assert!((7..1_000).step_by(3).all(|offset| !pass(&mut seen, offset)));
        assert_eq!(seen.runs(), [(0, 997)]);
    }
}
