//! The ids of messages that were sent once, each remembered for a time.
//!
//! That time must really have passed: a clock that is wrong for a moment may make no id forgotten.
//! What was sent in this opening goes by the steady clock. What was sent before it goes by the time
//! of day that is stored with it, once that is believed; until then it is remembered, unless a new
//! id needs its place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::clock::Now;

mod day;

use day::Day;

/// How many ids a commit forgets at most whose time is over.
const EXPIRED_MAX: usize = 4_096;

/// Under which id a message is sent once, and how long that is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// Whose id it is.
    pub source: Arc<str>,
    /// The id.
    pub id: Arc<str>,
    /// Of what the message says: another message under the id differs.
    pub digest: u128,
    /// How long it is remembered, milliseconds.
    pub keep_ms: u64,
    /// How many ids are remembered at most.
    pub ids_max: u64,
}

/// An id that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IdRow {
    pub(super) number: u64,
    pub(super) source: Arc<str>,
    pub(super) id: Arc<str>,
    /// Of the message that was sent under it.
    pub(super) digest: u128,
    /// Until when it is remembered over a restart, milliseconds since 1970.
    pub(super) until_ms: u64,
}

/// An id that is remembered.
#[derive(Debug)]
struct Known {
    row: IdRow,
    until: Until,
}

/// Until when an id is remembered, in milliseconds.
#[derive(Clone, Copy, Debug)]
enum Until {
    /// Sent in this opening: until the steady clock is there.
    Steady(u64),
    /// Sent before it: until that time of day.
    Day(u64),
}

/// All ids that are remembered.
#[derive(Debug, Default)]
pub(super) struct Ids {
    known: BTreeMap<u64, Known>,
    by_id: BTreeMap<(Arc<str>, Arc<str>), u64>,
    /// Those of this opening, by the steady clock.
    by_steady: BTreeSet<(u64, u64)>,
    /// Those from before, by the time of day.
    by_day: BTreeSet<(u64, u64)>,
    day: Day,
    pub(super) next: u64,
    /// What a checkpoint has to write.
    pub(super) dirty: BTreeSet<u64>,
}

impl Ids {
    /// Looks at the clocks, before a commit.
    pub(super) fn see(&mut self, now: Now) {
        if let Some(jump_ms) = self.day.see(now)
            && !self.known.is_empty()
        {
            tracing::warn!(
                target: "endwise::store", seconds = jump_ms / 1_000,
                "the clock was set by so much, forward if above 0: ids of send_once are remembered \
                 by the time that has really passed",
            );
        }
    }

    /// What becomes of a message with that id now.
    pub(super) fn check(&self, once: &Once) -> Verdict {
        match self.find(&once.source, &once.id) {
            Some(known) if !self.is_over(known.until) => {
                if known.row.digest == once.digest {
                    Verdict::Already
                } else {
                    Verdict::Differs
                }
            }
            None if self.is_full(once) && self.place_for(once).is_none() => Verdict::Full,
            _ => Verdict::Applied,
        }
    }

    fn is_full(&self, once: &Once) -> bool {
        self.known.len() as u64 >= once.ids_max
    }

    /// The number of the one that goes first where a new id finds no place. Its time is over by a
    /// time of day that may not be believed yet: the service takes messages all the same.
    pub(super) fn place_for(&self, once: &Once) -> Option<u64> {
        let (until_ms, number) = self.by_day.first()?;
        (self.is_full(once) && *until_ms <= self.day.wall_ms()).then_some(*number)
    }

    fn is_over(&self, until: Until) -> bool {
        match until {
            Until::Steady(until_ms) => until_ms <= self.day.steady_ms(),
            Until::Day(until_ms) => self.day.certain_ms().is_some_and(|now_ms| until_ms <= now_ms),
        }
    }

    fn find(&self, source: &Arc<str>, id: &Arc<str>) -> Option<&Known> {
        self.known.get(self.by_id.get(&(Arc::clone(source), Arc::clone(id)))?)
    }

    /// The number of an id that is remembered.
    pub(super) fn number(&self, source: &Arc<str>, id: &Arc<str>) -> Option<u64> {
        Some(self.find(source, id)?.row.number)
    }

    /// The numbers of some whose time is over, the oldest first.
    pub(super) fn expired(&self) -> Vec<u64> {
        let steady = self.by_steady.range(..=(self.day.steady_ms(), u64::MAX));
        let day = self.day.certain_ms().map(|now_ms| self.by_day.range(..=(now_ms, u64::MAX)));
        let over = steady.chain(day.into_iter().flatten()).take(EXPIRED_MAX);
        over.map(|(_, number)| *number).collect()
    }

    /// The row of an id that is sent now.
    pub(super) fn row(&self, once: &Once) -> IdRow {
        IdRow {
            number: self.next,
            source: Arc::clone(&once.source),
            id: Arc::clone(&once.id),
            digest: once.digest,
            until_ms: self.day.latest_ms().saturating_add(once.keep_ms),
        }
    }

    /// An id was sent now: in this opening it is remembered for as long as was said.
    pub(super) fn sent(&mut self, number: u64, keep_ms: u64) {
        let until_ms = self.day.steady_ms().saturating_add(keep_ms);
        if let Some(known) = self.known.get_mut(&number)
            && let Until::Day(before) = known.until
        {
            known.until = Until::Steady(until_ms);
            self.by_day.remove(&(before, number));
            self.by_steady.insert((until_ms, number));
        }
    }

    pub(super) fn set(&mut self, row: IdRow) {
        self.dirty.insert(row.number);
        self.load(row);
    }

    /// Puts back what a checkpoint wrote. Another row of the id is older, and goes.
    pub(super) fn load(&mut self, row: IdRow) {
        self.next = self.next.max(row.number + 1);
        let id = (Arc::clone(&row.source), Arc::clone(&row.id));
        if let Some(before) = self.by_id.insert(id, row.number) {
            self.forget(before);
        }
        self.by_day.insert((row.until_ms, row.number));
        self.known.insert(row.number, Known { until: Until::Day(row.until_ms), row });
    }

    pub(super) fn remove(&mut self, number: u64) {
        if let Some(row) = self.forget(number)
            && self.find(&row.source, &row.id).is_none()
        {
            self.by_id.remove(&(row.source, row.id));
        }
        self.dirty.insert(number);
    }

    fn forget(&mut self, number: u64) -> Option<IdRow> {
        let Known { row, until } = self.known.remove(&number)?;
        match until {
            Until::Steady(until_ms) => self.by_steady.remove(&(until_ms, number)),
            Until::Day(until_ms) => self.by_day.remove(&(until_ms, number)),
        };
        Some(row)
    }

    pub(super) fn get(&self, number: u64) -> Option<&IdRow> {
        Some(&self.known.get(&number)?.row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn once(id: &str, digest: u128) -> Once {
        Once { source: "http".into(), id: id.into(), digest, keep_ms: 10, ids_max: 2 }
    }

    fn row(number: u64, id: &str, until_ms: u64) -> IdRow {
        IdRow { number, source: "http".into(), id: id.into(), digest: 7, until_ms }
    }

    fn ids_at(now_ms: u64) -> Ids {
        let mut ids = Ids::default();
        ids.see(at(now_ms));
        ids
    }

    fn at(now_ms: u64) -> Now {
        Now { wall_ms: HOUR + now_ms, steady_ms: now_ms }
    }

    fn send(ids: &mut Ids, once: &Once) -> Verdict {
        let verdict = ids.check(once);
        if verdict == Verdict::Applied {
            let row = ids.row(once);
            let number = row.number;
            ids.set(row);
            ids.sent(number, once.keep_ms);
        }
        verdict
    }

    fn check_at(ids: &mut Ids, now: Now, once: &Once) -> Verdict {
        ids.see(now);
        ids.check(once)
    }

    #[test]
    fn an_id_is_known_until_its_time_is_over() {
        let mut ids = ids_at(0);
        assert_eq!(send(&mut ids, &once("a", 7)), Verdict::Applied);
        assert_eq!(check_at(&mut ids, at(9), &once("a", 7)), Verdict::Already);
        assert_eq!(ids.check(&once("a", 8)), Verdict::Differs);
        assert_eq!(check_at(&mut ids, at(10), &once("a", 8)), Verdict::Applied);
        ids.see(at(9));
        assert_eq!(send(&mut ids, &once("b", 7)), Verdict::Applied);
        assert_eq!((ids.check(&once("c", 7)), ids.expired()), (Verdict::Full, vec![]));
        ids.see(at(19));
        assert_eq!(ids.expired(), [0, 1]);
        ids.remove(0);
        assert_eq!(ids.check(&once("c", 7)), Verdict::Applied);
        assert_eq!((ids.expired(), ids.next), (vec![1], 2));
    }

    #[test]
    fn a_clock_that_was_wrong_makes_none_forgotten_that_was_sent_under_it() {
        let mut ids = ids_at(0);
        for (id, wall_ms) in [("a", HOUR), ("b", 99 * HOUR), ("c", HOUR), ("d", 0)] {
            let once = Once { ids_max: 9, ..once(id, 7) };
            ids.see(Now { wall_ms, steady_ms: 5 });
            assert_eq!(send(&mut ids, &once), Verdict::Applied);
        }
        for (steady_ms, count) in [(14, 0), (15, 4)] {
            for wall_ms in [0, HOUR, 99 * HOUR] {
                ids.see(Now { wall_ms, steady_ms });
                assert_eq!(ids.expired().len(), count);
            }
        }
    }

    #[test]
    fn one_from_before_goes_by_the_time_of_day_once_that_is_believed() {
        let mut ids = Ids::default();
        ids.load(row(0, "a", HOUR));
        ids.load(row(1, "b", 99 * HOUR));
        assert_eq!(check_at(&mut ids, at(0), &once("a", 7)), Verdict::Already);
        let ahead = Now { wall_ms: 100 * HOUR, steady_ms: 1 };
        assert_eq!(check_at(&mut ids, ahead, &once("b", 7)), Verdict::Already);
        ids.see(at(2));
        ids.see(at(599_999));
        assert_eq!(ids.expired(), Vec::<u64>::new());
        assert_eq!(check_at(&mut ids, at(600_002), &once("a", 7)), Verdict::Applied);
        assert_eq!(ids.expired(), [0]);
        let ahead = Now { wall_ms: 100 * HOUR, steady_ms: 2 * HOUR };
        assert_eq!(check_at(&mut ids, ahead, &once("b", 7)), Verdict::Already);
    }

    #[test]
    fn one_from_before_whose_time_is_over_makes_place_for_a_new_one() {
        let mut ids = Ids::default();
        ids.load(row(0, "a", HOUR));
        ids.load(row(1, "b", 99 * HOUR));
        ids.see(at(0));
        assert_eq!(ids.place_for(&Once { ids_max: 3, ..once("c", 7) }), None);
        assert_eq!(ids.place_for(&once("c", 7)), Some(0));
        assert_eq!(ids.check(&once("c", 7)), Verdict::Applied);
        ids.remove(0);
        assert_eq!(send(&mut ids, &once("c", 7)), Verdict::Applied);
        assert_eq!(ids.check(&once("d", 7)), Verdict::Full);
    }

    #[test]
    fn a_new_row_of_an_id_takes_the_place_of_the_old_one() {
        let mut ids = Ids::default();
        ids.set(row(0, "a", HOUR));
        ids.set(row(1, "a", 99 * HOUR));
        ids.set(row(1, "a", 99 * HOUR));
        ids.remove(0);
        ids.see(at(0));
        ids.see(at(HOUR));
        assert_eq!(ids.check(&once("a", 7)), Verdict::Already);
        assert_eq!(ids.expired(), Vec::<u64>::new());
        ids.remove(1);
        assert_eq!(ids.check(&once("a", 7)), Verdict::Applied);
    }
}
