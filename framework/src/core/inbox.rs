//! The positions that the shard knows: settled for good, or in progress.

use crate::hash::FastMap;
use crate::ids::{HandlerIx, Position, RecordRef};
use crate::stream::Ranges;
use crate::table::frame::Frame;
use crate::table::pending::{PendingRow, PendingTable};
use crate::table::settled::SettledRun;

use super::mutants::{self, Mutant};
use super::plan::Plan;

/// The answer to a message that comes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// New.
    New,
    /// A part of it was done before the last start: these handlers are left.
    Left(Vec<HandlerIx>),
    /// Settled, or its outcome is in a frame.
    Duplicate,
    /// In progress: this record is done with that one.
    Joined,
    /// In progress, with another message.
    Mismatch,
}

/// Settled sequences by stream, and what is in progress.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    settled: Vec<Ranges>,
    in_progress: FastMap<Position, Progress>,
    /// Handlers that are left of positions of which a part was done before the last start.
    left: FastMap<Position, Vec<HandlerIx>>,
    /// Positions of which something was done since the last frame was sealed.
    touched: Vec<Position>,
}

/// A position in progress.
#[derive(Debug)]
struct Progress {
    digest: u128,
    time_ms: u64,
    floor: u64,
    /// Handlers that are neither done nor stored.
    left: Vec<HandlerIx>,
    /// The records that carried it.
    records: Vec<RecordRef>,
    /// A row says what is left of it.
    has_row: bool,
    /// A part is done, since the last frame was sealed.
    is_touched: bool,
}

/// A position that is settled from here on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) time_ms: u64,
    pub(crate) floor: u64,
    pub(crate) records: Vec<RecordRef>,
}

impl Inbox {
    /// Knows a run of settled sequences.
    pub(crate) fn recover_run(&mut self, run: &SettledRun) {
        if let Some(settled) = self.settled_of(run.stream.0) {
            settled.insert_run(run.first, run.last);
        }
    }

    /// Knows what is left of a position.
    pub(crate) fn recover_left(&mut self, position: Position, left: Vec<HandlerIx>) {
        if mutants::holds(Mutant::LeftIsForgotten) {
            self.left.insert(position, left);
        }
    }

    fn settled_of(&mut self, stream: u32) -> Option<&mut Ranges> {
        let index = stream as usize;
        if index >= self.settled.len() {
            self.settled.resize_with(index + 1, Ranges::default);
        }
        self.settled.get_mut(index)
    }

    /// Says what a message is.
    pub(crate) fn admit(
        &mut self,
        position: Position,
        digest: u128,
        record: RecordRef,
    ) -> Admission {
        let settled = self.settled.get(position.stream.0 as usize);
        if settled.is_some_and(|settled| settled.contains(position.sequence)) {
            return Admission::Duplicate;
        }
        if let Some(progress) = self.in_progress.get_mut(&position) {
            if progress.digest != digest {
                return Admission::Mismatch;
            }
            progress.records.push(record);
            return Admission::Joined;
        }
        match self.left.remove(&position) {
            Some(left) => Admission::Left(left),
            None => Admission::New,
        }
    }

    /// A position comes into progress.
    pub(crate) fn open(&mut self, message: Opened) {
        let Opened { position, digest, time_ms, floor, left, record, done } = message;
        let (records, has_row) = (vec![record], done == Done::Stored);
        let is_touched = done == Done::InFrame;
        if is_touched {
            self.touched.push(position);
        }
        let progress = Progress { digest, time_ms, floor, left, records, has_row, is_touched };
        self.in_progress.insert(position, progress);
    }

    /// A position is settled whose handlers are all done at once.
    pub(crate) fn settle(&mut self, position: Position) {
        if !mutants::holds(Mutant::SettledIsForgotten) {
            return;
        }
        if let Some(settled) = self.settled_of(position.stream.0) {
            settled.insert(position.sequence);
        }
    }

    /// A handler is done with a position in progress, or stored; after the last one it is settled.
    pub(crate) fn share_ended(
        &mut self,
        position: Position,
        handler: HandlerIx,
        frame: &mut Frame,
    ) -> Option<Ended> {
        let progress = self.in_progress.get_mut(&position)?;
        progress.left.retain(|left| *left != handler);
        if !progress.left.is_empty() {
            if !progress.is_touched {
                progress.is_touched = true;
                self.touched.push(position);
            }
            return None;
        }
        let progress = self.in_progress.remove(&position)?;
        if progress.has_row {
            frame.remove::<PendingTable>(&position);
        }
        self.settle(position);
        let Progress { time_ms, floor, records, .. } = progress;
        Some(Ended { time_ms, floor, records })
    }

    /// Puts what is left of positions that are done in part into a frame that is sealed: once a
    /// frame, so that none falls between the handlers of one pass.
    pub(crate) fn seal(&mut self, plan: &Plan, frame: &mut Frame) {
        for position in std::mem::take(&mut self.touched) {
            let Some(progress) = self.in_progress.get_mut(&position) else { continue };
            (progress.has_row, progress.is_touched) = (true, false);
            let left = progress.left.iter().map(|handler| plan[*handler].name).collect();
            frame.put::<PendingTable>(&position, &PendingRow(left));
        }
    }

    pub(crate) fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// Counts the positions in progress.
    pub(crate) fn in_progress(&self) -> usize {
        self.in_progress.len()
    }
}

/// A position that comes into progress.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) position: Position,
    pub(crate) digest: u128,
    pub(crate) time_ms: u64,
    pub(crate) floor: u64,
    /// Handlers that are to do.
    pub(crate) left: Vec<HandlerIx>,
    pub(crate) record: RecordRef,
    pub(crate) done: Done,
}

/// The part of a position that is done when it comes into progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Nothing,
    /// A part, with the frame that is gathered.
    InFrame,
    /// A part, as a row says.
    Stored,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{PartitionIx, StreamIx};

    fn at(sequence: u64) -> Position {
        Position { stream: StreamIx(3), sequence }
    }

    fn record(offset: u64) -> RecordRef {
        RecordRef { partition: PartitionIx(0), offset }
    }

    fn opened(sequence: u64, left: &[u16]) -> Opened {
        Opened {
            position: at(sequence),
            digest: 7,
            time_ms: 5,
            floor: 1,
            left: left.iter().map(|handler| HandlerIx(*handler)).collect(),
            record: record(0),
            done: Done::Nothing,
        }
    }

    #[test]
    fn a_position_is_settled_once_with_all_its_records_after_its_last_handler() {
        let (mut inbox, mut frame) = (Inbox::default(), Frame::default());
        assert_eq!(inbox.admit(at(1), 7, record(0)), Admission::New);
        inbox.open(opened(1, &[0, 1]));
        assert_eq!(inbox.admit(at(1), 7, record(4)), Admission::Joined);
        assert_eq!(inbox.admit(at(1), 8, record(5)), Admission::Mismatch);
        assert_eq!(inbox.share_ended(at(1), HandlerIx(1), &mut frame), None);
        assert!(inbox.is_touched());
        let ended = inbox.share_ended(at(1), HandlerIx(0), &mut frame).unwrap();
        assert_eq!(ended, Ended { time_ms: 5, floor: 1, records: vec![record(0), record(4)] });
        assert_eq!(inbox.admit(at(1), 7, record(6)), Admission::Duplicate);
        assert_eq!((inbox.in_progress(), frame.is_empty()), (0, true), "no row was needed");
    }

    #[test]
    fn what_was_left_before_a_start_is_left_after_it() {
        let mut inbox = Inbox::default();
        inbox.recover_run(&SettledRun {
            stream: StreamIx(3),
            first: 1,
            last: 4,
            time_ms: 0,
            floor: 0,
        });
        inbox.recover_left(at(5), vec![HandlerIx(1)]);
        assert_eq!(inbox.admit(at(4), 7, record(3)), Admission::Duplicate);
        assert_eq!(inbox.admit(at(5), 7, record(4)), Admission::Left(vec![HandlerIx(1)]));
        assert_eq!(inbox.admit(at(6), 7, record(5)), Admission::New);
    }
}
