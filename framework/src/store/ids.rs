//! The ids of messages that were sent once, each remembered for a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Verdict;

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
    /// Until when it is remembered, milliseconds since 1970.
    pub(super) until_ms: u64,
}

/// All ids that are remembered.
#[derive(Debug, Default)]
pub(super) struct Ids {
    rows: BTreeMap<u64, IdRow>,
    by_id: BTreeMap<(Arc<str>, Arc<str>), u64>,
    by_age: BTreeSet<(u64, u64)>,
    pub(super) next: u64,
    /// What a checkpoint has to write.
    pub(super) dirty: BTreeSet<u64>,
}

impl Ids {
    /// What becomes of a message with that id at that time.
    pub(super) fn check(&self, once: &Once, now_ms: u64) -> Verdict {
        match self.find(&once.source, &once.id) {
            Some(row) if row.until_ms > now_ms => {
                if row.digest == once.digest {
                    Verdict::Already
                } else {
                    Verdict::Differs
                }
            }
            None if self.rows.len() as u64 >= once.ids_max => Verdict::Full,
            _ => Verdict::Applied,
        }
    }

    pub(super) fn find(&self, source: &Arc<str>, id: &Arc<str>) -> Option<&IdRow> {
        self.rows.get(self.by_id.get(&(Arc::clone(source), Arc::clone(id)))?)
    }

    /// The numbers of some whose time is over, the oldest first.
    pub(super) fn expired(&self, now_ms: u64) -> Vec<u64> {
        let over = self.by_age.range(..=(now_ms, u64::MAX)).take(EXPIRED_MAX);
        over.map(|(_, number)| *number).collect()
    }

    pub(super) fn set(&mut self, row: IdRow) {
        self.dirty.insert(row.number);
        self.load(row);
    }

    /// Puts back what a checkpoint wrote. Another row of the id is older, and goes.
    pub(super) fn load(&mut self, row: IdRow) {
        self.next = self.next.max(row.number + 1);
        let id = (Arc::clone(&row.source), Arc::clone(&row.id));
        if let Some(before) = self.by_id.insert(id, row.number)
            && before != row.number
        {
            self.forget(before);
        }
        self.by_age.insert((row.until_ms, row.number));
        self.rows.insert(row.number, row);
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
        let row = self.rows.remove(&number)?;
        self.by_age.remove(&(row.until_ms, number));
        Some(row)
    }

    pub(super) fn get(&self, number: u64) -> Option<&IdRow> {
        self.rows.get(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn once(id: &str, digest: u128) -> Once {
        Once { source: "http".into(), id: id.into(), digest, keep_ms: 10, ids_max: 2 }
    }

    fn row(number: u64, id: &str, until_ms: u64) -> IdRow {
        IdRow { number, source: "http".into(), id: id.into(), digest: 7, until_ms }
    }

    #[test]
    fn an_id_is_known_until_its_time_is_over() {
        let mut ids = Ids::default();
        assert_eq!(ids.check(&once("a", 7), 0), Verdict::Applied);
        ids.set(row(0, "a", 10));
        assert_eq!(ids.check(&once("a", 7), 9), Verdict::Already);
        assert_eq!(ids.check(&once("a", 8), 9), Verdict::Differs);
        assert_eq!(ids.check(&once("a", 8), 10), Verdict::Applied);
        ids.set(row(1, "b", 12));
        assert_eq!(ids.check(&once("c", 7), 9), Verdict::Full);
        assert_eq!((ids.expired(9), ids.expired(12)), (vec![], vec![0, 1]));
        ids.remove(0);
        assert_eq!(ids.check(&once("c", 7), 11), Verdict::Applied);
        assert_eq!((ids.expired(12), ids.next), (vec![1], 2));
    }

    #[test]
    fn a_new_row_of_an_id_takes_the_place_of_the_old_one() {
        let mut ids = Ids::default();
        ids.set(row(0, "a", 10));
        ids.set(row(1, "a", 30));
        ids.remove(0);
        assert_eq!(ids.check(&once("a", 7), 20), Verdict::Already);
        assert_eq!(ids.expired(20), Vec::<u64>::new());
        ids.remove(1);
        assert_eq!(ids.check(&once("a", 7), 20), Verdict::Applied);
    }
}
