//! The hash of the hot path's maps: XXH3, since std's own was a third of the cost of planning.
//!
//! Seeded at random, for keys come from outside. No map that is hashed so is ever walked where its
//! order would show.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A map that is looked up, and never walked where the order would show.
pub(crate) type FastMap<K, V> = HashMap<K, V, Hashing>;

/// Makes hashers of one seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hashing(u64);

impl Default for Hashing {
    fn default() -> Self {
        Hashing(crate::random::seed())
    }
}

impl BuildHasher for Hashing {
    type Hasher = Fast;

    fn build_hasher(&self) -> Fast {
        Fast(self.0)
    }
}

/// One-shot XXH3 of each text, a multiplication for each number.
#[derive(Debug)]
pub(crate) struct Fast(u64);

impl Fast {
    fn fold(&mut self, number: u64) {
        let product = u128::from(self.0 ^ number) * 0x9e37_79b9_7f4a_7c15_u128;
        // Both halves depend on every bit of the number.
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for Fast {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    fn write_u8(&mut self, number: u8) {
        self.fold(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.fold(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.fold(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.fold(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_that_differ_little_hash_apart_in_all_bits() {
        let hashing = Hashing::default();
        let hashes: Vec<u64> = (0..4_096_u32).map(|n| hashing.hash_one((n, "key"))).collect();
        let distinct = |bits: fn(u64) -> u64| {
            hashes.iter().map(|hash| bits(*hash)).collect::<HashSet<_>>().len()
        };
        assert_eq!(distinct(|hash| hash), 4_096);
        // The map takes its places from the low bits and tells neighbours apart by the high ones.
        assert!(distinct(|hash| hash & 0xfff) > 2_300, "as many as chance gives");
        assert_eq!(distinct(|hash| hash >> 57), 128);
    }
}
