//! Retry: a failed attempt → what its delivery waits for.

use crate::policy::{Gap, OnFailure};
use crate::store::{How, Wait};

/// What a delivery waits for after its `attempts`th attempt has failed: its next one, or, given
/// up, an operator. `is_late`: its lane has gone on without it before. `random` is uniform.
pub(crate) fn wait(
    policy: &OnFailure,
    how: How,
    attempts: u32,
    is_late: bool,
    now_ms: u64,
    random: u64,
) -> Wait {
    let is_over = match how {
        How::FailedForGood | How::Killed => true,
        _ => attempts >= policy.attempts,
    };
    if !is_over {
        return Wait::Until(after(now_ms, policy.wait(attempts, random)));
    }
    let skip_ms = match policy.gap {
        Gap::Hold => None,
        // A spent skip stays spent.
        Gap::Skip(_) if is_late => Some(0),
        Gap::Skip(deadline) => Some(after(now_ms, deadline)),
    };
    Wait::Dead { since_ms: now_ms, skip_ms }
}

fn after(now_ms: u64, wait: std::time::Duration) -> u64 {
    now_ms.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn attempts_are_counted_and_a_gap_is_skipped_once() {
        let policy = OnFailure {
            attempts: 3,
            min: Duration::from_millis(100),
            max: Duration::from_secs(1),
            gap: Gap::Skip(Duration::from_secs(30)),
            ..OnFailure::default()
        };
        let wait = |how, attempts, is_late| wait(&policy, how, attempts, is_late, 1_000, 0);
        let dead = |skip| Wait::Dead { since_ms: 1_000, skip_ms: Some(skip) };
        assert!(matches!(wait(How::Failed, 1, false), Wait::Until(1_000..2_000)));
        assert!(matches!(wait(How::TimedOut, 2, false), Wait::Until(1_000..2_000)));
        assert_eq!(wait(How::Panicked, 3, false), dead(31_000));
        assert_eq!(wait(How::FailedForGood, 1, false), dead(31_000));
        assert_eq!(wait(How::Killed, 1, true), dead(0));
    }
}
