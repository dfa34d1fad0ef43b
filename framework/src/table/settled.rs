//! The sequences that a frame settles: runs, a stream each, not a row a message.

use crate::ids::{Position, StreamIx};

/// A run of sequences of one stream that are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SettledRun {
    pub(crate) stream: StreamIx,
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// The latest commit time among its messages, milliseconds since 1970.
    pub(crate) time_ms: u64,
    /// The highest floor that its messages carried.
    pub(crate) floor: u64,
}

/// The runs of one frame. A stream's messages come in order nearly always, so nearly always each
/// stream has one run, which grows. Its buffers stay from frame to frame.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settled {
    runs: Vec<SettledRun>,
    /// By stream, the place of the run that grows, one higher; 0: none. Four bytes for each stream
    /// that the shard knows.
    growing: Vec<u32>,
}

impl Settled {
    /// Settles a position whose message was committed at that time, with that floor.
    pub(crate) fn add(&mut self, at: Position, time_ms: u64, floor: u64) {
        let Position { stream, sequence } = at;
        let index = stream.0 as usize;
        if index >= self.growing.len() {
            self.growing.resize(index + StreamIx::SLOTS as usize, 0);
        }
        let Some(place) = self.growing.get_mut(index) else { return };
        let run = (*place as usize).checked_sub(1).and_then(|at| self.runs.get_mut(at));
        if let Some(run) = run
            && run.last.checked_add(1) == Some(sequence)
        {
            run.last = sequence;
            run.time_ms = run.time_ms.max(time_ms);
            run.floor = run.floor.max(floor);
            return;
        }
        self.runs.push(SettledRun { stream, first: sequence, last: sequence, time_ms, floor });
        // A frame is full long before.
        *place = u32::try_from(self.runs.len()).unwrap_or(0);
    }

    /// All runs.
    pub(crate) fn runs(&self) -> &[SettledRun] {
        &self.runs
    }

    pub(crate) fn clear(&mut self) {
        for run in self.runs.drain(..) {
            if let Some(place) = self.growing.get_mut(run.stream.0 as usize) {
                *place = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_runs_are_what_was_settled(
            sequences in prop::collection::vec((0_u32..3, 1_u64..30, 0_u64..9, 0_u64..9), 0..60),
        ) {
            let mut settled = Settled::default();
            for (stream, sequence, time_ms, floor) in &sequences {
                let at = Position { stream: StreamIx(*stream), sequence: *sequence };
                settled.add(at, *time_ms, *floor);
            }
            let runs = |run: &SettledRun| {
                let stream = run.stream.0;
                (run.first..=run.last).map(move |sequence| (stream, sequence))
            };
            let got: BTreeSet<_> = settled.runs().iter().flat_map(runs).collect();
            let all: BTreeSet<_> = sequences.iter().map(|row| (row.0, row.1)).collect();
            prop_assert_eq!(got, all);
            for stream in 0..3 {
                let of = || sequences.iter().filter(|row| row.0 == stream);
                let runs = || settled.runs().iter().filter(|run| run.stream.0 == stream);
                let time = runs().map(|run| run.time_ms).max();
                prop_assert_eq!(time, of().map(|row| row.2).max());
                prop_assert_eq!(runs().map(|run| run.floor).max(), of().map(|row| row.3).max());
            }
        }
    }

    #[test]
    fn a_stream_in_order_is_one_run() {
        let mut settled = Settled::default();
        for sequence in 5..1_000 {
            settled.add(Position { stream: StreamIx(7), sequence }, sequence, 5);
        }
        let run = SettledRun { stream: StreamIx(7), first: 5, last: 999, time_ms: 999, floor: 5 };
        assert_eq!(settled.runs(), [run]);
        settled.clear();
        assert_eq!(settled.runs(), []);
        settled.add(Position { stream: StreamIx(7), sequence: 1_000 }, 1, 1);
        assert_eq!(settled.runs().len(), 1, "nothing is left of the frame before");
    }
}
