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
    /// Its position is known, and belongs to another message.
    Other,
    /// Its stream has as many holes as one may have, and this would be one more.
    Full,
    /// Nothing here takes it.
    NotMine,
}

/// The positions that this process knows of. Its maps are looked up, never walked.
#[derive(Debug, Default)]
pub(crate) struct Admit {
    /// What was ever admitted of each stream.
    streams: FastMap<Arc<StreamId>, Seen>,
    /// The runs that a stream may have: one more than its holes.
    runs_max: usize,
    /// The same for what others have sent, by partition.
    partitions: FastMap<Arc<PartitionId>, Ranges>,
    /// Handlers that are still to do, for positions of which some are done since before the start.
    pending: FastMap<Position, Vec<Arc<str>>>,
    in_progress: FastMap<Position, Progress>,
}

/// What is known of a stream.
#[derive(Debug, Default)]
struct Seen {
    sequences: Ranges,
    /// The latest commit time among its messages, milliseconds since 1970. A copy of one of them
    /// never has a later one.
    time_ms: u64,
}

/// What a position is to those that came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    New,
    Before,
    /// The position came before, with another message.
    Other,
    /// It is new, and there is no place for it.
    Full,
}

/// A position in progress.
#[derive(Debug)]
struct Progress {
    /// The digest of the message, if it has one.
    digest: Option<u128>,
    /// Handlers that have no outcome queued yet.
    left: usize,
    /// Handlers that it was admitted for.
    handlers: usize,
    /// The records that carried it, to be settled with it.
    copies: Vec<RecordRef>,
}

impl Admit {
    /// Knows what the store knows. A stream may have so many runs.
    pub(crate) fn new(recovered: &Recovered, runs_max: usize) -> Self {
        let known = recovered.inbox.iter().map(|(id, sequences)| {
            (Arc::clone(id), Seen { sequences: sequences.clone(), time_ms: 0 })
        });
        let mut streams: FastMap<_, _> = known.collect();
        for (id, time_ms) in &recovered.times {
            streams.entry(Arc::clone(id)).or_insert_with(Seen::default).time_ms = *time_ms;
        }
        Admit {
            streams,
            runs_max,
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
            if progress.digest != envelope.digest {
                return Admission::Other;
            }
            progress.copies.push(record.clone());
            return Admission::Joined;
        }
        match self.see(position, envelope.time_ms) {
            Came::New => {}
            Came::Before => return Admission::Duplicate,
            Came::Other => return Admission::Other,
            Came::Full => return Admission::Full,
        }
        let handlers = self.left_to(envelope, wiring);
        if handlers.is_empty() {
            return Admission::NotMine;
        }
        let (left, copies) = (handlers.len(), vec![record.clone()]);
        let progress = Progress { digest: envelope.digest, left, handlers: left, copies };
        self.in_progress.insert(position.clone(), progress);
        Admission::Start(handlers)
    }

    /// Decides the same for the message in a record that was on the list of those that are none. It
    /// does not come into progress. Where its position was settled with it, or it is foreign and its
    /// offset is done, the list alone says that it is new.
    pub(crate) fn admit_listed(
        &mut self,
        envelope: &Envelope,
        was_settled: bool,
        wiring: &Wiring,
    ) -> Admission {
        let position = &envelope.position;
        if !was_settled {
            if let Some(progress) = self.in_progress.get(position) {
                let is_other = progress.digest != envelope.digest;
                return if is_other { Admission::Other } else { Admission::Duplicate };
            }
            match self.see(position, envelope.time_ms) {
                Came::New => {}
                Came::Before => return Admission::Duplicate,
                Came::Other => return Admission::Other,
                Came::Full => return Admission::Full,
            }
        }
        match self.left_to(envelope, wiring) {
            handlers if handlers.is_empty() => Admission::NotMine,
            handlers => Admission::Start(handlers),
        }
    }

    /// Whether a position is in progress, or was left half done before the start.
    pub(crate) fn is_begun(&self, position: &Position) -> bool {
        self.in_progress.contains_key(position) || self.pending.contains_key(position)
    }

    /// The handlers that are to handle a message that is new: those that are left of a position
    /// that was half done before the start.
    fn left_to(&mut self, envelope: &Envelope, wiring: &Wiring) -> Vec<usize> {
        if let Some(pending) = self.pending.remove(&envelope.position) {
            return wiring.numbers(&pending);
        }
        let route = wiring.route(&envelope.topic, &envelope.type_name);
        route.map_or_else(Vec::new, |route: &Route| route.handlers.clone())
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
    pub(crate) fn reopen(
        &mut self,
        position: &Position,
        digest: Option<u128>,
        copies: Vec<RecordRef>,
    ) {
        // Others may be on their way: its records go behind all of them.
        let none = || Progress { digest, left: 0, handlers: 2, copies: Vec::new() };
        let progress = self.in_progress.entry(position.clone()).or_insert_with(none);
        progress.left += 1;
        progress.copies.extend(copies);
    }

    /// Remembers that a position came, with a message of that commit time; what it is to those
    /// before it. One that was left half done before the start is new.
    pub(crate) fn see(&mut self, position: &Position, time_ms: u64) -> Came {
        let runs_max = self.runs_max;
        match position {
            Position::Stream(stream, sequence) => match self.streams.get_mut(stream) {
                Some(seen) => seen.see(*sequence, time_ms, runs_max),
                None => {
                    let seen = self.streams.entry(Arc::clone(stream)).or_default();
                    seen.see(*sequence, time_ms, runs_max)
                }
            },
            Position::Foreign(partition, offset) => {
                let is_new = match self.partitions.get_mut(partition) {
                    Some(seen) => pass(seen, *offset),
                    None => {
                        let seen = self.partitions.entry(Arc::clone(partition)).or_default();
                        pass(seen, *offset)
                    }
                };
                if is_new { Came::New } else { Came::Before }
            }
        }
    }

    /// Whether there is a place for that sequence of a stream.
    pub(crate) fn has_place(&self, stream: &StreamId, sequence: u64) -> bool {
        self.streams.get(stream).is_none_or(|seen| !seen.is_full_for(sequence, self.runs_max))
    }

    /// How many holes a stream has.
    pub(crate) fn holes(&self, stream: &StreamId) -> u64 {
        let Some(seen) = self.streams.get(stream) else { return 0 };
        let runs = seen.sequences.runs();
        let begins = runs.first().is_some_and(|&(first, _)| first <= 1);
        (runs.len() - usize::from(begins)) as u64
    }

    /// Takes the holes of a stream for passed, those aside that are waited for: the stream, and its
    /// holes. `None` if there is no stream of that name.
    pub(crate) fn pass_holes(
        &mut self,
        name: &str,
        waits: impl Fn(&StreamId) -> Vec<u64>,
    ) -> Option<(Arc<StreamId>, Runs)> {
        let stream = self.streams.keys().find(|stream| stream.to_string() == name)?;
        let stream = Arc::clone(stream);
        let mut kept = Ranges::default();
        for sequence in waits(&stream) {
            kept.insert(sequence);
        }
        for position in self.pending.keys() {
            // The handlers that are left to do for it are to have it when it comes.
            if let Position::Stream(of, sequence) = position
                && *of == stream
            {
                kept.insert(*sequence);
            }
        }
        let seen = self.streams.get_mut(&stream)?;
        let gaps = seen.sequences.gaps(1).into_iter();
        let passed: Runs = gaps.flat_map(|gap| without(gap, &kept)).collect();
        for &(first, last) in &passed {
            seen.sequences.insert_run(first, last);
        }
        Some((stream, passed))
    }
}

impl Seen {
    fn is_full_for(&self, sequence: u64, runs_max: usize) -> bool {
        self.sequences.runs().len() >= runs_max && !self.sequences.touches(sequence)
    }

    fn see(&mut self, sequence: u64, time_ms: u64, runs_max: usize) -> Came {
        if self.is_full_for(sequence, runs_max) {
            return Came::Full;
        }
        let is_later = time_ms > self.time_ms;
        if self.sequences.insert(sequence) {
            self.time_ms = self.time_ms.max(time_ms);
            Came::New
        } else if is_later {
            Came::Other
        } else {
            Came::Before
        }
    }
}

/// Runs of sequences, first and last each.
type Runs = Vec<(u64, u64)>;

/// A run without the numbers of a set, as runs.
fn without((first, last): (u64, u64), kept: &Ranges) -> Runs {
    let (mut runs, mut next) = (Vec::new(), first);
    for &(start, end) in kept.runs().iter().filter(|&&(start, end)| end >= first && start <= last) {
        if start > next {
            runs.push((next, start - 1));
        }
        next = next.max(end.saturating_add(1));
    }
    if next <= last {
        runs.push((next, last));
    }
    runs
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
    fn a_run_without_a_set_is_what_is_left_of_it() {
        let mut kept = Ranges::default();
        for number in [2, 5, 6, 9] {
            kept.insert(number);
        }
        assert_eq!(without((3, 8), &kept), [(3, 4), (7, 8)]);
        assert_eq!(without((5, 6), &kept), []);
        assert_eq!(without((9, 12), &kept), [(10, 12)]);
    }

    #[test]
    fn a_partition_that_mixes_records_of_both_kinds_stays_one_range() {
        let mut seen = Ranges::default();
        seen.insert_run(0, 5);
        assert!((7..1_000).step_by(3).all(|offset| pass(&mut seen, offset)));
        assert!((7..1_000).step_by(3).all(|offset| !pass(&mut seen, offset)));
        assert_eq!(seen.runs(), [(0, 997)]);
    }
}
