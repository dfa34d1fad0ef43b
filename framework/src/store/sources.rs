//! The numbers that each intake source has sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Verdict;
use super::limits::SOURCES_MAX;
use crate::stream::Ranges;

/// How many runs of numbers are remembered of a source: so many gaps, less one. Beyond that the
/// lowest gap is forgotten, and its numbers count as sent.
pub(super) const RUNS_MAX: usize = 64;

/// The numbers of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Numbers(Ranges);

impl Numbers {
    /// The number behind the highest one.
    pub(super) fn next(&self) -> u64 {
        self.0.runs().last().map_or(0, |(_, last)| last.saturating_add(1))
    }

    fn add(&mut self, number: u64) {
        self.0.insert(number);
        if self.0.runs().len() > RUNS_MAX
            && let [(_, before), (behind, _), ..] = *self.0.runs()
        {
            self.0.insert_run(before, behind);
        }
    }

    fn check(&self, number: u64) -> Verdict {
        if self.0.contains(number) {
            Verdict::Already
        } else if number < self.next() {
            Verdict::Skipped
        } else {
            Verdict::Applied
        }
    }
}

/// All sources, by name.
#[derive(Debug, Default)]
pub(super) struct Sources {
    by_name: BTreeMap<Arc<str>, Numbers>,
    /// What a checkpoint has to write.
    pub(super) dirty: BTreeSet<Arc<str>>,
}

impl Sources {
    /// What becomes of a message with that number.
    pub(super) fn check(&self, source: &str, number: u64) -> Verdict {
        match self.by_name.get(source) {
            Some(numbers) => numbers.check(number),
            None if self.by_name.len() >= SOURCES_MAX => Verdict::Full,
            None => Verdict::Applied,
        }
    }

    /// Takes in that the number before `next` was sent.
    pub(super) fn add(&mut self, source: &Arc<str>, next: u64) {
        if let Some(number) = next.checked_sub(1) {
            self.by_name.entry(Arc::clone(source)).or_default().add(number);
            self.dirty.insert(Arc::clone(source));
        }
    }

    pub(super) fn has(&self, source: &str) -> bool {
        self.by_name.contains_key(source)
    }

    /// Forgets a source, and with it which numbers it has sent.
    pub(super) fn remove(&mut self, source: &Arc<str>) {
        self.by_name.remove(source);
        self.dirty.insert(Arc::clone(source));
    }

    pub(super) fn get(&self, source: &str) -> Option<&Numbers> {
        self.by_name.get(source)
    }

    /// Puts back what a checkpoint wrote.
    pub(super) fn load(&mut self, source: Arc<str>, numbers: Numbers) {
        self.by_name.insert(source, numbers);
    }

    /// The number that each source sends next.
    pub(super) fn nexts(&self) -> BTreeMap<Arc<str>, u64> {
        let next = |(name, numbers): (&Arc<str>, &Numbers)| (Arc::clone(name), numbers.next());
        self.by_name.iter().map(next).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_runs_that_are_remembered_the_lowest_gap_counts_as_sent() {
        let mut sources = Sources::default();
        let source = Arc::from("s");
        let runs = RUNS_MAX as u64;
        // 0, 2, 4 ..: each a run of its own.
        (0..=runs).for_each(|n| sources.add(&source, 2 * n + 1));
        assert_eq!(sources.check("s", 1), Verdict::Already, "its gap was closed");
        assert_eq!(sources.check("s", 3), Verdict::Skipped);
        assert_eq!(sources.check("s", 2 * runs), Verdict::Already);
        assert_eq!(sources.check("s", 2 * runs + 1), Verdict::Applied);
        let numbers = sources.get("s").unwrap();
        assert_eq!((numbers.0.runs().len(), numbers.next()), (RUNS_MAX, 2 * runs + 1));
    }
}
