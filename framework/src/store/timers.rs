//! Which timers there are, and under which names: numbers and hashes, for there may be millions.
//! What is sent in their time is read when it is due.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::TimerId;
use super::change::{Id, TimerKey};

/// Names come from outside. Whoever cannot know the seed cannot make two of one hash.
static SEED: OnceLock<u64> = OnceLock::new();

/// All timers.
#[derive(Debug)]
pub(super) struct Timers {
    /// When each is due, by number.
    due: BTreeMap<u64, u64>,
    /// The numbers of those that have a name.
    named: BTreeMap<u128, u64>,
    /// The number of the next one.
    pub(super) next: u64,
}

impl Default for Timers {
    fn default() -> Self {
        let (due, named) = Default::default();
        Timers { due, named, next: 1 }
    }
}

impl Timers {
    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    /// The one of that number.
    pub(super) fn id(&self, number: u64) -> Option<TimerId> {
        Some(TimerId { due_ms: *self.due.get(&number)?, number })
    }

    pub(super) fn contains(&self, timer: TimerId) -> bool {
        self.due.get(&timer.number) == Some(&timer.due_ms)
    }

    /// The one that waits under a name.
    pub(super) fn find(
        &self,
        topic: Id,
        type_name: Id,
        key: Option<&str>,
        name: &str,
    ) -> Option<TimerId> {
        let number = *self.named.get(&hash(topic, type_name, key, name))?;
        Some(TimerId { due_ms: *self.due.get(&number)?, number })
    }

    pub(super) fn set(&mut self, timer: &TimerKey) {
        self.next = self.next.max(timer.number.saturating_add(1));
        self.due.insert(timer.number, timer.due_ms);
        if let Some(hash) = hash_of(timer) {
            self.named.insert(hash, timer.number);
        }
    }

    pub(super) fn remove(&mut self, timer: &TimerKey) {
        self.due.remove(&timer.number);
        // While changes are replayed, the name may stand for a younger one already.
        if let Some(hash) = hash_of(timer)
            && self.named.get(&hash) == Some(&timer.number)
        {
            self.named.remove(&hash);
        }
    }

    /// Puts back what checkpoints have written, all at once: made of sorted runs, the maps are
    /// dense.
    pub(super) fn load(&mut self, timers: Loaded) {
        let last = timers.due.iter().map(|(number, _)| *number).max().unwrap_or(0);
        self.next = self.next.max(last.saturating_add(1));
        self.due = timers.due.into_iter().collect();
        self.named = timers.named.into_iter().collect();
    }
}

/// Timers as they are found behind, in any order.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    due: Vec<(u64, u64)>,
    named: Vec<(u128, u64)>,
}

impl Loaded {
    /// Empty, with room for all of these.
    pub(super) fn for_all<'a>(parts: impl Iterator<Item = &'a Loaded>) -> Self {
        let (due, named) = parts
            .fold((0, 0), |(due, named), part| (due + part.due.len(), named + part.named.len()));
        Loaded { due: Vec::with_capacity(due), named: Vec::with_capacity(named) }
    }

    /// Takes in what was found elsewhere.
    pub(super) fn join(&mut self, other: Loaded) {
        self.due.extend(other.due);
        self.named.extend(other.named);
    }

    /// Takes one more in.
    pub(super) fn add(
        &mut self,
        timer: TimerId,
        topic: Id,
        type_name: Id,
        key: Option<&str>,
        name: Option<&str>,
    ) {
        self.due.push((timer.number, timer.due_ms));
        if let Some(name) = name {
            self.named.push((hash(topic, type_name, key, name), timer.number));
        }
    }
}

fn hash_of(timer: &TimerKey) -> Option<u128> {
    let name = timer.name.as_deref()?;
    Some(hash(timer.topic, timer.type_name, timer.key.as_deref(), name))
}

fn hash(topic: Id, type_name: Id, key: Option<&str>, name: &str) -> u128 {
    let key_length = key.map_or(u64::MAX, |key| key.len() as u64);
    let mut bytes = Vec::with_capacity(16 + key.map_or(0, str::len) + name.len());
    bytes.extend_from_slice(&topic.to_le_bytes());
    bytes.extend_from_slice(&type_name.to_le_bytes());
    // The length keeps key and name apart, and no key from an empty one.
    bytes.extend_from_slice(&key_length.to_le_bytes());
    bytes.extend_from_slice(key.unwrap_or_default().as_bytes());
    bytes.extend_from_slice(name.as_bytes());
    xxh3_128_with_seed(&bytes, *SEED.get_or_init(crate::random::seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timer(number: u64, due_ms: u64, key: Option<&str>, name: &str) -> TimerKey {
        let (key, name) = (key.map(Into::into), Some(name.into()));
        TimerKey { due_ms, number, topic: 1, type_name: 2, key, name }
    }

    #[test]
    fn a_name_finds_its_timer_and_no_other() {
        let mut timers = Timers::default();
        let all = [(Some("ab"), "c"), (Some("a"), "bc"), (None, "abc"), (Some(""), "abc")];
        for (number, (key, name)) in (1..).zip(all) {
            timers.set(&timer(number, 50, key, name));
        }
        for (number, (key, name)) in (1..).zip(all) {
            assert_eq!(timers.find(1, 2, key, name), Some(TimerId { due_ms: 50, number }));
            assert_eq!(timers.find(2, 1, key, name), None);
        }
        assert_eq!((timers.len(), timers.next), (4, 5));
    }

    #[test]
    fn a_replayed_removal_leaves_a_younger_timer_of_the_name_alone() {
        let mut timers = Timers::default();
        timers.set(&timer(9, 70, None, "n"));
        timers.remove(&timer(3, 50, None, "n"));
        assert_eq!(timers.find(1, 2, None, "n"), Some(TimerId { due_ms: 70, number: 9 }));
        timers.remove(&timer(9, 70, None, "n"));
        assert_eq!((timers.find(1, 2, None, "n"), timers.len()), (None, 0));
    }

    #[test]
    fn what_is_loaded_is_found() {
        let mut loaded = Loaded::default();
        loaded.add(TimerId { due_ms: 8, number: 5 }, 1, 2, Some("k"), Some("n"));
        loaded.add(TimerId { due_ms: 7, number: 6 }, 1, 2, Some("k"), None);
        let mut timers = Timers::default();
        timers.load(loaded);
        assert_eq!(timers.find(1, 2, Some("k"), "n"), Some(TimerId { due_ms: 8, number: 5 }));
        assert!(timers.contains(TimerId { due_ms: 7, number: 6 }));
        assert!(!timers.contains(TimerId { due_ms: 8, number: 6 }));
        assert_eq!(timers.next, 7);
    }
}
