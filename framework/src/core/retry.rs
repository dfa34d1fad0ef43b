//! The wait after a failed attempt.

use super::event::Now;
use super::jobs::{Stage, Tries};
use crate::clock::millis;
use crate::ids::Position;
use crate::policy::{Gap, OnFailure};
use crate::random;
use crate::store::How;
use crate::table::delivery::StoredWait;

/// A wait: as it is stored, its stage, and when it ends by the clock that only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) stored: StoredWait,
    pub(crate) stage: Stage,
    pub(crate) due_ms: Option<u64>,
}

/// The number of an attempt: a start draws the same one.
pub(crate) fn random(seed: u64, position: Position, attempts: u32) -> u64 {
    let of_stream = random::nth(seed, position.stream.0.into());
    random::nth(of_stream, position.sequence ^ u64::from(attempts) << 48)
}

/// Counts a failed attempt; what its delivery waits for. `random` is uniform.
pub(crate) fn failed(
    tries: &mut Tries,
    policy: &OnFailure,
    how: How,
    now: Now,
    random: u64,
) -> Wait {
    tries.attempts += 1;
    tries.failures += 1;
    let wait = after(policy, how, tries, now, random);
    tries.wait = wait.stored;
    wait
}

fn after(policy: &OnFailure, how: How, tries: &Tries, now: Now, random: u64) -> Wait {
    let since_ms = now.wall_ms;
    let is_over = match how {
        How::FailedForGood | How::Killed => true,
        _ => tries.attempts >= policy.attempts,
    };
    let (stored, stage, wait_ms) = if is_over {
        match policy.gap {
            Gap::Hold => (StoredWait::Dead { since_ms }, Stage::Dead, None),
            // A spent skip stays spent.
            Gap::Skip(_) if tries.late => {
                (StoredWait::DeadSkipped { since_ms }, Stage::Skipped, None)
            }
            Gap::Skip(deadline) => {
                let wait_ms = millis(deadline);
                let due_ms = since_ms.saturating_add(wait_ms);
                (StoredWait::DeadUntil { since_ms, due_ms }, Stage::Dead, Some(wait_ms))
            }
        }
    } else {
        let wait_ms = millis(policy.wait(tries.attempts, random));
        let due_ms = since_ms.saturating_add(wait_ms);
        let longest_ms = millis(policy.wait_max());
        (StoredWait::Until { due_ms, longest_ms }, Stage::Waiting, Some(wait_ms))
    };
    Wait { stored, stage, due_ms: wait_ms.map(|wait_ms| now.mono_ms.saturating_add(wait_ms)) }
}

/// The same wait after a start. The wall clock may be another by then, so no wait is longer than it
/// was meant to be.
pub(crate) fn recovered(stored: StoredWait, now: Now) -> Wait {
    let left = |due_ms: u64, most_ms: u64| {
        let left_ms = due_ms.saturating_sub(now.wall_ms).min(most_ms);
        Some(now.mono_ms.saturating_add(left_ms))
    };
    let (stage, due_ms) = match stored {
        StoredWait::Held | StoredWait::Unhandled => (Stage::Ready, None),
        StoredWait::Until { due_ms, longest_ms } => (Stage::Waiting, left(due_ms, longest_ms)),
        StoredWait::Dead { .. } => (Stage::Dead, None),
        StoredWait::DeadUntil { since_ms, due_ms } => {
            (Stage::Dead, left(due_ms, due_ms.saturating_sub(since_ms)))
        }
        StoredWait::DeadSkipped { .. } => (Stage::Skipped, None),
    };
    Wait { stored, stage, due_ms }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Now = Now { mono_ms: 50, wall_ms: 1_000 };

    fn policy() -> OnFailure {
        OnFailure {
            attempts: 3,
            min: Duration::from_millis(100),
            max: Duration::from_millis(400),
            gap: Gap::Skip(Duration::from_secs(30)),
            ..OnFailure::default()
        }
    }

    fn tries(attempts: u32, late: bool) -> Tries {
        Tries { attempts, failures: attempts, late, since_ms: 0, wait: StoredWait::Held }
    }

    #[test]
    fn attempts_are_counted_and_a_gap_is_skipped_once() {
        let wait = |how, tries: Tries| after(&policy(), how, &tries, NOW, 0);
        let first = wait(How::Failed, tries(1, false));
        let stored = StoredWait::Until { due_ms: 1_100, longest_ms: 400 };
        assert_eq!(first, Wait { stored, stage: Stage::Waiting, due_ms: Some(150) });
        let stored = StoredWait::DeadUntil { since_ms: 1_000, due_ms: 31_000 };
        let dead = Wait { stored, stage: Stage::Dead, due_ms: Some(30_050) };
        assert_eq!(wait(How::Panicked, tries(3, false)), dead);
        assert_eq!(wait(How::FailedForGood, tries(1, false)), dead);
        assert_eq!(wait(How::Killed, tries(1, true)).stage, Stage::Skipped);
        let hold = OnFailure { gap: Gap::Hold, ..policy() };
        let held = after(&hold, How::Failed, &tries(3, false), NOW, 0);
        assert_eq!((held.stage, held.due_ms), (Stage::Dead, None));
    }

    #[test]
    fn no_wait_is_longer_after_a_start_than_it_was_meant_to_be() {
        let until = StoredWait::Until { due_ms: 900_000, longest_ms: 400 };
        assert_eq!(recovered(until, NOW).due_ms, Some(450), "the clock was ahead");
        let until = StoredWait::Until { due_ms: 1_100, longest_ms: 400 };
        assert_eq!(recovered(until, NOW).due_ms, Some(150));
        let dead = StoredWait::DeadUntil { since_ms: 500_000, due_ms: 530_000 };
        assert_eq!(recovered(dead, NOW).due_ms, Some(30_050));
        assert_eq!(recovered(StoredWait::DeadSkipped { since_ms: 1 }, NOW).stage, Stage::Skipped);
    }
}
