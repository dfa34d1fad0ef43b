//! Reading back: which values are read again at once, to find types whose two halves of serde
//! disagree.

use std::any::TypeId;
use std::hash::BuildHasher;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::hash::Hashing;

/// The first values of a type that are read back, all of them.
const FIRST: u64 = 1_000;

/// Of the later ones, one in so many.
const ONE_IN: u64 = 64;

/// Types that are counted; every value of those beyond is read back.
const TYPES_MAX: usize = 512;

/// Which values are read back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sampling {
    /// The first 1,000 of a type, then one in 64.
    #[default]
    Sampled,
    /// All of them: in a test.
    All,
}

/// Counts the values of each type that a service writes. It knows neither time nor chance: the same
/// values are read back each time.
#[derive(Debug)]
pub(crate) struct ReadBack {
    sampling: Sampling,
    hashing: Hashing,
    types: Box<[Slot]>,
}

/// A type and how many values of it were written.
#[derive(Debug, Default)]
struct Slot {
    of: OnceLock<TypeId>,
    written: AtomicU64,
}

impl ReadBack {
    pub(crate) fn new(sampling: Sampling) -> Self {
        let slots = match sampling {
            Sampling::Sampled => TYPES_MAX,
            Sampling::All => 0,
        };
        let types = (0..slots).map(|_| Slot::default()).collect();
        ReadBack { sampling, hashing: Hashing::default(), types }
    }

    /// Whether the value of this type that is written now is read back.
    pub(crate) fn is_due<T: 'static>(&self) -> bool {
        self.sampling == Sampling::All || self.count(TypeId::of::<T>())
    }

    fn count(&self, id: TypeId) -> bool {
        let slots = self.types.len();
        let first = self.hashing.hash_one(id) as usize % slots.max(1);
        // A type has the first free slot behind the one that its hash names; none is ever freed.
        let mut slots = self.types.iter().cycle().skip(first).take(slots);
        let of = |slot: &&Slot| *slot.of.get_or_init(|| id) == id;
        slots.find(of).is_none_or(|slot| {
            let before = slot.written.fetch_add(1, Ordering::Relaxed);
            before < FIRST || before % ONE_IN == 0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One;
    struct Other;

    #[test]
    fn each_type_is_counted_for_itself() {
        let read_back = ReadBack::new(Sampling::Sampled);
        assert!((0..FIRST).all(|_| read_back.is_due::<One>()));
        assert!((0..FIRST).all(|_| read_back.is_due::<Other>()));
        let later = (0..6_400).filter(|_| read_back.is_due::<One>()).count();
        assert_eq!(later, 100, "one in 64");
    }

    #[test]
    fn in_a_test_all_are_read_back() {
        let read_back = ReadBack::new(Sampling::All);
        assert!((0..2 * FIRST).all(|_| read_back.is_due::<One>()));
    }
}
