//! Ticks: a schedule's times, each sent once.

use std::sync::Arc;

use crate::outcome::Send;
use crate::schedule::{CatchUp, Schedule, Times};
use crate::store::{Entry, Scheduled, Subject};

/// How many times that were missed are made up for.
const CATCH_UP_MAX: usize = 10_000;

/// How far behind the last tick the clock may be before that one counts as sent by a clock that was
/// ahead, in milliseconds. A clock that is put right by less repeats no tick.
const AHEAD_MS: u64 = 60_000;

/// A schedule at work.
#[derive(Clone, Debug)]
pub(crate) struct Ticks {
    name: Arc<str>,
    cron: Arc<str>,
    times: Times,
    catch_up: CatchUp,
    message: Send,
    /// All ticks up to here were handed on, or passed over.
    last_ms: u64,
    /// The first tick behind that.
    next_ms: Option<u64>,
}

impl Ticks {
    pub(crate) fn new(schedule: &Schedule, times: Times, message: Send) -> Self {
        let Schedule { name, cron, catch_up, .. } = schedule;
        // However it is spaced, it is the same expression.
        let cron = cron.split_whitespace().collect::<Vec<_>>().join(" ").into();
        let (name, catch_up) = (Arc::clone(name), *catch_up);
        Ticks { name, cron, times, catch_up, message, last_ms: 0, next_ms: None }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// When the next one is.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.next_ms
    }

    /// Takes it up where its store says that it was: what is to be sent for ticks that were missed.
    /// An expression that its store does not know counts from now.
    pub(crate) fn begin(&mut self, stored: Option<&Scheduled>, now_ms: u64) -> Vec<Entry> {
        let Some(stored) = stored else { return self.begin_anew(now_ms) };
        if stored.cron != self.cron {
            tracing::info!(
                target: "endwise::timer", schedule = &*self.name, before = &*stored.cron,
                now = &*self.cron,
                "the schedule's expression has changed: its times count from now on",
            );
            return self.begin_anew(now_ms);
        }
        self.last_ms = stored.last_ms;
        if self.was_ahead(now_ms) {
            return self.begin_anew(now_ms);
        }
        let missed = match self.catch_up {
            CatchUp::None => Vec::new(),
            CatchUp::Last => self.newest(now_ms, 1),
            CatchUp::All => self.all(now_ms),
        };
        if !missed.is_empty() {
            tracing::info!(
                target: "endwise::timer", schedule = &*self.name, missed = missed.len(),
                "sending what was scheduled while the service did not run",
            );
        }
        self.passed(now_ms);
        self.entries(missed)
    }

    /// What is to be sent by now.
    pub(crate) fn due(&mut self, now_ms: u64) -> Vec<Entry> {
        if self.was_ahead(now_ms) {
            return self.begin_anew(now_ms);
        }
        if self.next_ms.is_none_or(|next| next > now_ms) {
            return Vec::new();
        }
        let due = match self.catch_up {
            CatchUp::None | CatchUp::Last => self.newest(now_ms, 1),
            CatchUp::All => self.all(now_ms),
        };
        self.passed(now_ms);
        self.entries(due)
    }

    /// Whether the last tick was handed on by a clock that was ahead. That is said: the times that
    /// come once more are sent once more, or the schedule would be silent until they are over.
    fn was_ahead(&self, now_ms: u64) -> bool {
        let is = self.last_ms > now_ms.saturating_add(AHEAD_MS);
        if is {
            tracing::warn!(
                target: "endwise::timer", schedule = &*self.name,
                seconds = (self.last_ms - now_ms) / 1_000,
                "the clock was ahead by so much when this schedule was sent last: it goes on from \
                 now, and times that come once more are sent once more",
            );
        }
        is
    }

    /// Begins with the first tick after now.
    fn begin_anew(&mut self, now_ms: u64) -> Vec<Entry> {
        self.last_ms = now_ms;
        self.next_ms = self.times.after(now_ms);
        // Without a message: it began now, so what is missed later is known.
        vec![self.entry(now_ms, Vec::new())]
    }

    /// All ticks up to now are handed on, or passed over.
    fn passed(&mut self, now_ms: u64) {
        // A clock that is a little behind the last tick does not repeat it.
        self.last_ms = self.last_ms.max(now_ms);
        self.next_ms = self.times.after(self.last_ms);
    }

    fn all(&self, now_ms: u64) -> Vec<u64> {
        let mut ticks = self.newest(now_ms, CATCH_UP_MAX + 1);
        if ticks.len() > CATCH_UP_MAX {
            ticks.remove(0);
            tracing::error!(
                target: "endwise::timer", schedule = &*self.name, sent = CATCH_UP_MAX,
                "more times of this schedule were missed than are made up for: the oldest of them \
                 are left out",
            );
        }
        ticks
    }

    /// The newest times behind the last tick, oldest first.
    fn newest(&self, now_ms: u64, most: usize) -> Vec<u64> {
        let first = self.times.up_to(now_ms);
        let back = std::iter::successors(first, |tick| self.times.up_to(tick.checked_sub(1)?));
        let mut ticks: Vec<u64> = back.take_while(|tick| *tick > self.last_ms).take(most).collect();
        ticks.reverse();
        ticks
    }

    fn entries(&self, ticks: Vec<u64>) -> Vec<Entry> {
        ticks.into_iter().map(|tick| self.entry(tick, vec![self.message.clone()])).collect()
    }

    fn entry(&self, last_ms: u64, sends: Vec<Send>) -> Entry {
        let (name, cron) = (Arc::clone(&self.name), Arc::clone(&self.cron));
        let subject = Subject::Scheduled(Scheduled { name, cron, last_ms });
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

    fn ticks(cron: &str, catch_up: CatchUp) -> Ticks {
        let schedule = Schedule::new("tick", cron, Tick {}).catch_up(catch_up);
        let message = Outgoing::new(Tick {}).encode(None, None).unwrap();
        Ticks::new(&schedule, Times::parse(cron).unwrap(), message)
    }

    fn every_minute(catch_up: CatchUp) -> Ticks {
        ticks("* * * * *", catch_up)
    }

    fn stored(last_ms: u64) -> Scheduled {
        Scheduled { name: "tick".into(), cron: "* * * * *".into(), last_ms }
    }

    /// The times of entries, and whether each sends.
    fn times(entries: Vec<Entry>) -> Vec<(u64, bool)> {
        let time = |entry: Entry| match entry.subject {
            Subject::Scheduled(schedule) => (schedule.last_ms, !entry.sends.is_empty()),
            other => panic!("{other:?}"),
        };
        entries.into_iter().map(time).collect()
    }

    #[test]
    fn a_schedule_begins_with_the_first_time_after_its_first_start() {
        for catch_up in [CatchUp::All, CatchUp::Last, CatchUp::None] {
            let mut ticks = every_minute(catch_up);
            assert_eq!(times(ticks.begin(None, MINUTE + 1)), [(MINUTE + 1, false)]);
            assert_eq!(ticks.next_ms(), Some(2 * MINUTE));
            assert!(ticks.due(2 * MINUTE - 1).is_empty());
            assert_eq!(times(ticks.due(2 * MINUTE)), [(2 * MINUTE, true)]);
            assert!(ticks.due(2 * MINUTE + 5).is_empty());
        }
    }

    #[test]
    fn what_was_missed_is_made_up_for_as_asked() {
        let before = stored(2 * MINUTE);
        let missed = |catch_up| times(every_minute(catch_up).begin(Some(&before), 5 * MINUTE));
        assert_eq!(missed(CatchUp::All), [3, 4, 5].map(|n| (n * MINUTE, true)));
        assert_eq!(missed(CatchUp::Last), [(5 * MINUTE, true)]);
        assert_eq!(missed(CatchUp::None), []);
        let mut ticks = every_minute(CatchUp::Last);
        assert_eq!(times(ticks.begin(Some(&stored(5 * MINUTE)), 6 * MINUTE - 1)), []);
    }

    #[test]
    fn another_expression_counts_from_its_first_start() {
        let now = 7 * MINUTE + 5;
        for cron in ["*/2 * * * *", "30 * * * * *"] {
            let mut ticks = ticks(cron, CatchUp::All);
            assert_eq!(times(ticks.begin(Some(&stored(MINUTE)), now)), [(now, false)]);
        }
        let mut spaced = ticks("*  *\t* * *", CatchUp::Last);
        assert_eq!(times(spaced.begin(Some(&stored(MINUTE)), now)), [(7 * MINUTE, true)]);
    }

    #[test]
    fn a_clock_that_was_ahead_silences_nothing_and_one_put_right_repeats_nothing() {
        for catch_up in [CatchUp::All, CatchUp::Last, CatchUp::None] {
            let now = 7 * MINUTE + 5;
            let mut ticks = every_minute(catch_up);
            assert_eq!(times(ticks.begin(Some(&stored(900 * MINUTE)), now)), [(now, false)]);
            assert_eq!(times(ticks.due(8 * MINUTE)), [(8 * MINUTE, true)]);
            // It is set back by half a second, and has one more minute to go.
            assert!(ticks.due(8 * MINUTE - 500).is_empty() && ticks.due(8 * MINUTE).is_empty());
            assert_eq!(ticks.next_ms(), Some(9 * MINUTE));
            // It is set back by three minutes.
            assert_eq!(times(ticks.due(5 * MINUTE + 1)), [(5 * MINUTE + 1, false)]);
            assert_eq!(times(ticks.due(6 * MINUTE)), [(6 * MINUTE, true)]);
        }
    }

    #[test]
    fn what_a_sleeping_machine_missed_is_too_but_the_last_is_sent() {
        let due = |catch_up| {
            let mut ticks = every_minute(catch_up);
            ticks.begin(None, MINUTE);
            let due = times(ticks.due(4 * MINUTE + 1));
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
        let sent = times(every_minute(CatchUp::All).begin(Some(&stored(1)), now));
        assert_eq!(sent.len(), CATCH_UP_MAX);
        assert_eq!(sent.last(), Some(&(now, true)));
        assert_eq!(sent.first(), Some(&(10_001 * MINUTE, true)));
    }
}
