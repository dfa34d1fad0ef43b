//! Policies: what a handler asks of the framework, as data.

use std::fmt;
use std::time::Duration;

mod level;
mod retry;

pub(crate) use level::Level;
pub use retry::Retry;
pub(crate) use retry::Unless;

/// In which order a handler's messages are handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Order {
    /// Messages of one key one after the other, in the order in which they were sent.
    #[default]
    Key,
    /// As they come, side by side.
    None,
}

/// What becomes of a key's messages behind one that has become a dead letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Gap {
    /// They wait until it is replayed or discarded: consistency.
    #[default]
    Hold,
    /// After so long they go on without it: availability. It is handled
    /// [late](crate::delivery::Delivery::is_late) when it is replayed.
    Skip(Duration),
}

/// All that one handler asks for on failure, complete.
#[derive(Clone)]
pub(crate) struct OnFailure {
    /// Attempts in all, the first among them; at least 1.
    pub(crate) attempts: u32,
    /// The shortest wait.
    pub(crate) min: Duration,
    /// The longest.
    pub(crate) max: Duration,
    /// Errors that are not tried again, beside those marked as permanent.
    pub(crate) unless: Option<Unless>,
    /// How long an attempt may take.
    pub(crate) timeout: Duration,
    pub(crate) gap: Gap,
    /// After how many deaths of the process, while it ran alone, a message is a dead letter.
    pub(crate) crashes: u32,
}

impl Default for OnFailure {
    fn default() -> Self {
        OnFailure {
            attempts: 10,
            min: Duration::from_millis(100),
            max: Duration::from_secs(60),
            unless: None,
            timeout: Duration::from_secs(300),
            gap: Gap::Hold,
            crashes: 3,
        }
    }
}

impl OnFailure {
    /// The longest wait between two attempts.
    pub(crate) fn wait_max(&self) -> Duration {
        self.max.max(self.min)
    }

    /// How long to wait after that many failed attempts: exponential back-off with full jitter,
    /// above `min`. `random` is uniform, and comes of the service's seed.
    ///
    /// The wait is uniform between `min` and the back-off, which is `min` doubled for each failed
    /// attempt, `max` at most. So the first wait is 1 to 2 times `min`, the second 1 to 4 times.
    ///
    /// The idea: Brooker, "Exponential Backoff and Jitter" (AWS architecture blog, 2015). There
    /// the jitter reaches down to 0; here it ends at `min`, so that what is busy is left alone
    /// that long for certain.
    pub(crate) fn wait(&self, failed: u32, random: u64) -> Duration {
        let doubled = self.min.saturating_mul(1u32.checked_shl(failed.min(31)).unwrap_or(u32::MAX));
        let most = doubled.min(self.max).max(self.min);
        let spread = u64::try_from((most - self.min).as_millis()).unwrap_or(u64::MAX);
        let jitter = (u128::from(random) * u128::from(spread)) >> 64;
        self.min + Duration::from_millis(u64::try_from(jitter).unwrap_or(spread))
    }
}

impl fmt::Debug for OnFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnFailure")
            .field("attempts", &self.attempts)
            .field("timeout", &self.timeout)
            .field("gap", &self.gap)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_their_bounds() {
        let (min, max) = (Duration::from_millis(200), Duration::from_secs(60));
        let policy = OnFailure { min, max, ..OnFailure::default() };
        for failed in 1..=40 {
            let (short, long) = (policy.wait(failed, 0), policy.wait(failed, u64::MAX));
            assert_eq!(short, min);
            let most = min.saturating_mul(1 << failed.min(20)).min(max);
            assert!(long <= most && long + Duration::from_millis(1) >= most, "{failed}: {long:?}");
        }
        let never = OnFailure { min: max, max: min, ..OnFailure::default() };
        assert_eq!(never.wait(3, u64::MAX), max, "the minimum is kept whatever the maximum is");
    }
}
