//! Random numbers that can be had again.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Numbers that follow from a seed.
pub(crate) struct Random {
    pub(crate) seed: u64,
    pub(super) drawn: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random { seed, drawn: 0 }
    }

    /// The seed that the environment names, or one of the operating system's.
    pub(crate) fn from_environment() -> Self {
        let named = std::env::var("ENDWISE_SEED").ok().map(|seed| seed.parse().unwrap());
        let random = Random::new(named.unwrap_or_else(crate::random::seed));
        // Shown if the test fails.
        println!("replay with ENDWISE_SEED={} and this test's name", random.seed);
        random
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.drawn += 1;
        xxh3_64_with_seed(&self.drawn.to_le_bytes(), self.seed) % end
    }

    pub(crate) fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}

/// A text of any size, mostly small.
pub(super) fn text(random: &mut Random) -> String {
    let length = match random.below(40) {
        0 => random.below(30_000),
        1..5 => 0,
        _ => random.below(700),
    };
    format!("{}-{}", random.drawn, "x".repeat(length as usize))
}
