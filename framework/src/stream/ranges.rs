//! A set of numbers that is nearly one run: the settled sequences of a stream.

use serde::{Deserialize, Serialize};

/// A set of numbers, kept as sorted, disjoint, non-adjacent runs.
///
/// In steady state it is one run: a few bytes, whatever the traffic.
///
/// ```
/// use framework::stream::Ranges;
/// let mut settled = Ranges::default();
/// assert!(settled.insert(1) && settled.insert(3) && settled.insert(2));
/// assert!(!settled.insert(2), "already there");
/// assert_eq!(settled.runs(), [(1, 3)]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Whether `number` is in the set.
    pub fn contains(&self, number: u64) -> bool {
        let after = self.0.partition_point(|&(first, _)| first <= number);
        after.checked_sub(1).and_then(|i| self.0.get(i)).is_some_and(|&(_, last)| number <= last)
    }

    /// Adds `number`; whether it was new.
    pub fn insert(&mut self, number: u64) -> bool {
        self.insert_run(number, number)
    }

    /// Adds all of `first..=last`; whether any of it was new.
    pub fn insert_run(&mut self, first: u64, last: u64) -> bool {
        if first > last {
            return false;
        }
        // The usual case, the next number of the last run, touches nothing else.
        if let Some(end) = self.0.last_mut()
            && end.1.checked_add(1) == Some(first)
        {
            end.1 = last;
            return true;
        }
        // All runs that overlap or touch first..=last become one.
        let from = self.0.partition_point(|&(_, end)| end.saturating_add(1) < first);
        let to = self.0.partition_point(|&(start, _)| start <= last.saturating_add(1)).max(from);
        let Some(touched) = self.0.get(from..to).filter(|runs| !runs.is_empty()) else {
            self.0.insert(from, (first, last));
            return true;
        };
        if let [(start, end)] = touched
            && *start <= first
            && last <= *end
        {
            return false;
        }
        let start = touched.first().map_or(first, |run| run.0.min(first));
        let end = touched.last().map_or(last, |run| run.1.max(last));
        self.0.splice(from..to, [(start, end)]);
        true
    }

    /// The lowest number that is `from` or above and not in the set.
    pub fn next_missing(&self, from: u64) -> u64 {
        let after = self.0.partition_point(|&(first, _)| first <= from);
        match after.checked_sub(1).and_then(|i| self.0.get(i)) {
            Some(&(_, last)) if last >= from => last.saturating_add(1),
            _ => from,
        }
    }

    /// The runs, first and last number each, in order.
    pub fn runs(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// How many numbers are in the set.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|&(first, last)| last - first + 1).sum()
    }

    /// Whether the set has no more runs once `number` is in it.
    pub(crate) fn touches(&self, number: u64) -> bool {
        let after = self.0.partition_point(|&(first, _)| first <= number.saturating_add(1));
        let run = after.checked_sub(1).and_then(|i| self.0.get(i));
        run.is_some_and(|&(_, last)| last >= number.saturating_sub(1))
    }

    /// The numbers from `first` up to the highest of the set that are not in it, as runs.
    pub(crate) fn gaps(&self, first: u64) -> Vec<(u64, u64)> {
        let (mut gaps, mut next) = (Vec::new(), first);
        for &(start, end) in &self.0 {
            if start > next {
                gaps.push((next, start - 1));
            }
            next = next.max(end.saturating_add(1));
        }
        gaps
    }

    /// How many numbers of `from` or above are in the set.
    pub(crate) fn count_from(&self, from: u64) -> u64 {
        let after = self.0.partition_point(|&(_, last)| last < from);
        let runs = self.0.get(after..).unwrap_or_default();
        runs.iter().map(|&(first, last)| last - first.max(from) + 1).sum()
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn ranges_are_a_set(runs in prop::collection::vec((0u64..60, 0u64..6), 0..60)) {
            let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
            for (first, more) in runs {
                let before = set.len();
                set.extend(first..=first + more);
                prop_assert_eq!(ranges.insert_run(first, first + more), set.len() > before);
                for n in 0..70 {
                    prop_assert_eq!(ranges.contains(n), set.contains(&n));
                    let missing = (n..).find(|m| !set.contains(m)).unwrap();
                    prop_assert_eq!(ranges.next_missing(n), missing);
                    let mut more = ranges.clone();
                    more.insert(n);
                    prop_assert_eq!(ranges.touches(n), more.runs().len() <= ranges.runs().len());
                    prop_assert_eq!(ranges.count_from(n), set.range(n..).count() as u64);
                }
                prop_assert_eq!(ranges.len(), set.len() as u64);
                let gaps = ranges.gaps(1).into_iter().flat_map(|(first, last)| first..=last);
                let top = set.last().copied().unwrap_or(0);
                prop_assert!(gaps.eq((1..=top).filter(|n| !set.contains(n))));
                for pair in ranges.runs().windows(2) {
                    prop_assert!(pair[0].1 + 1 < pair[1].0, "runs are disjoint and apart");
                }
            }
        }
    }
}
