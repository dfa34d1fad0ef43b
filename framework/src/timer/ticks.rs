//! Ticks: a schedule's times, each sent once.

use std::sync::Arc;

use crate::outcome::Send;
use crate::schedule::{CatchUp, EVERY, Times};
use crate::store::{Entry, Subject};

/// How many times that were missed are made up for.
const CATCH_UP_MAX: usize = 10_000;

/// A schedule at work.
#[derive(Clone, Debug)]
pub(crate) struct Ticks {
    /// What its ticks are numbered by, each with its time: that is how a tick is sent once.
    source: Arc<str>,
    times: Times,
    catch_up: CatchUp,
    message: Send,
    /// The first tick that was not handed on.
    next_ms: Option<u64>,
}

impl Ticks {
    pub(crate) fn new(name: &str, times: Times, catch_up: CatchUp, message: Send) -> Self {
        let source = format!("{EVERY}{name}").into();
        Ticks { source, times, catch_up, message, next_ms: None }
    }

    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// When the next one is.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.next_ms
    }

    /// Takes it up: its store has sent all before `from_ms`; 0 says that it never began. What is
    /// to be sent for those that were missed.
    pub(crate) fn begin(&mut self, from_ms: u64, now_ms: u64) -> Vec<Entry> {
        self.next_ms = self.times.after(now_ms);
        if from_ms == 0 {
            // Without a message: it began now, so what is missed later is known.
            return vec![self.entry(now_ms, Vec::new())];
        }
        let missed = match self.catch_up {
            CatchUp::None => Vec::new(),
            CatchUp::Last => self.newest(from_ms, now_ms, 1),
            CatchUp::All => self.all(from_ms, now_ms),
        };
        if !missed.is_empty() {
            tracing::info!(
                target: "endwise::timer", schedule = &*self.source, missed = missed.len(),
                "sending what was scheduled while the service did not run",
            );
        }
        self.entries(missed)
    }

    /// What is to be sent by now.
    pub(crate) fn due(&mut self, now_ms: u64) -> Vec<Entry> {
        let Some(from_ms) = self.next_ms.filter(|next| *next <= now_ms) else { return Vec::new() };
        self.next_ms = self.times.after(now_ms);
        let due = match self.catch_up {
            CatchUp::None | CatchUp::Last => self.newest(from_ms, now_ms, 1),
            CatchUp::All => self.all(from_ms, now_ms),
        };
        self.entries(due)
    }

    fn all(&self, from_ms: u64, now_ms: u64) -> Vec<u64> {
        let mut ticks = self.newest(from_ms, now_ms, CATCH_UP_MAX + 1);
        if ticks.len() > CATCH_UP_MAX {
            ticks.remove(0);
            tracing::error!(
                target: "endwise::timer", schedule = &*self.source, sent = CATCH_UP_MAX,
                "more times of this schedule were missed than are made up for: the oldest of them \
                 are left out",
            );
        }
        ticks
    }

    /// The newest times of a span, oldest first.
    fn newest(&self, from_ms: u64, now_ms: u64, most: usize) -> Vec<u64> {
        let first = self.times.up_to(now_ms);
        let back = std::iter::successors(first, |tick| self.times.up_to(tick.checked_sub(1)?));
        let mut ticks: Vec<u64> = back.take_while(|tick| *tick >= from_ms).take(most).collect();
        ticks.reverse();
        ticks
    }

    fn entries(&self, ticks: Vec<u64>) -> Vec<Entry> {
        ticks.into_iter().map(|tick| self.entry(tick, vec![self.message.clone()])).collect()
    }

    fn entry(&self, number: u64, sends: Vec<Send>) -> Entry {
        let subject = Subject::Intake { from: Some((Arc::clone(&self.source), number)) };
        Entry { sends, ..Entry::of(subject, Vec::new()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outgoing::Outgoing;
    use crate::prelude::*;

    const MINUTE: u64 = 60_000;

    #[derive(Message, Serialize, Deserialize)]
    struct Tick {}

    fn every_minute(catch_up: CatchUp) -> Ticks {
        let message = Outgoing::new(Tick {}).encode(None, None).unwrap();
        Ticks::new("tick", Times::parse("* * * * *").unwrap(), catch_up, message)
    }

    /// The numbers of entries, and whether each sends.
    fn numbers(entries: Vec<Entry>) -> Vec<(u64, bool)> {
        let number = |entry: Entry| match entry.subject {
            Subject::Intake { from: Some((_, number)) } => (number, !entry.sends.is_empty()),
            other => panic!("{other:?}"),
        };
        entries.into_iter().map(number).collect()
    }

    #[test]
    fn a_schedule_begins_with_the_first_time_after_its_first_start() {
        for catch_up in [CatchUp::All, CatchUp::Last, CatchUp::None] {
            let mut ticks = every_minute(catch_up);
            assert_eq!(numbers(ticks.begin(0, MINUTE + 1)), [(MINUTE + 1, false)]);
            assert_eq!(ticks.next_ms(), Some(2 * MINUTE));
            assert!(ticks.due(2 * MINUTE - 1).is_empty());
            assert_eq!(numbers(ticks.due(2 * MINUTE)), [(2 * MINUTE, true)]);
            assert!(ticks.due(2 * MINUTE + 5).is_empty());
        }
    }

    #[test]
    fn what_was_missed_is_made_up_for_as_asked() {
        let missed = |catch_up| numbers(every_minute(catch_up).begin(2 * MINUTE + 1, 5 * MINUTE));
        assert_eq!(missed(CatchUp::All), [3, 4, 5].map(|n| (n * MINUTE, true)));
        assert_eq!(missed(CatchUp::Last), [(5 * MINUTE, true)]);
        assert_eq!(missed(CatchUp::None), []);
        let mut ticks = every_minute(CatchUp::Last);
        assert_eq!(numbers(ticks.begin(5 * MINUTE + 1, 6 * MINUTE - 1)), []);
    }

    #[test]
    fn what_a_sleeping_machine_missed_is_too_but_the_last_is_sent() {
        let due = |catch_up| {
            let mut ticks = every_minute(catch_up);
            ticks.begin(1, MINUTE);
            let due = numbers(ticks.due(4 * MINUTE + 1));
            assert_eq!(ticks.next_ms(), Some(5 * MINUTE));
            due
        };
        assert_eq!(due(CatchUp::All), [2, 3, 4].map(|n| (n * MINUTE, true)));
        assert_eq!(due(CatchUp::Last), [(4 * MINUTE, true)]);
        assert_eq!(due(CatchUp::None), [(4 * MINUTE, true)]);
    }

    #[test]
    fn of_too_many_the_newest_are_sent() {
        let now = 20_000 * MINUTE;
        let sent = numbers(every_minute(CatchUp::All).begin(1, now));
        assert_eq!(sent.len(), CATCH_UP_MAX);
        assert_eq!(sent.last(), Some(&(now, true)));
        assert_eq!(sent.first(), Some(&(10_001 * MINUTE, true)));
    }
}
