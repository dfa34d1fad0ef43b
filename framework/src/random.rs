//! Randomness, handed in: numbers that follow from a seed.

use std::hash::{BuildHasher, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A seed from the operating system.
pub(crate) fn seed() -> u64 {
    // The keys of std's hasher come from the operating system.
    RandomState::new().hash_one("endwise")
}

/// The seed's `n`th number.
pub(crate) fn nth(seed: u64, n: u64) -> u64 {
    xxh3_64_with_seed(&n.to_le_bytes(), seed)
}

/// The seed's number for one purpose.
pub(crate) fn of(seed: u64, purpose: &str) -> u64 {
    xxh3_64_with_seed(purpose.as_bytes(), seed)
}
