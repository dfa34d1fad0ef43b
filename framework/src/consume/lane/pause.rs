//! What a stored delivery waits for, by the steady clock: no change of the machine's time makes a
//! wait longer.

use std::time::Duration;

use crate::clock::Now;
use crate::store::Wait;

/// What a stored delivery waits for in its lane. Due times are readings of the steady clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// Those before it in its lane.
    Held,
    /// Its next attempt.
    Until(u64),
    /// An operator.
    Dead {
        /// When it was given up, milliseconds since 1970, as it is stored.
        since_ms: u64,
        /// When its lane goes on without it.
        skip: Option<u64>,
    },
    /// An operator; its lane goes on without it, or has.
    Spent {
        /// When it was given up, milliseconds since 1970, as it is stored.
        since_ms: u64,
    },
}

impl Pause {
    /// What a stored wait comes to from now on. `retry_max` is the longest wait between two
    /// attempts: a stored time that lies further ahead was stored while the clock was ahead.
    pub(crate) fn of(wait: &Wait, now: Now, retry_max: Duration) -> Self {
        let due = wait.left_ms(now.wall_ms, retry_max).map(|left_ms| now.steady_in(left_ms));
        match (wait, due) {
            // An unhandled message is in no lane.
            (Wait::Held | Wait::Unhandled, _) => Pause::Held,
            (Wait::Until(_), due) => Pause::Until(due.unwrap_or(now.steady_ms)),
            (&Wait::Dead { since_ms, skip_ms: Some(0) }, _) => Pause::Spent { since_ms },
            (&Wait::Dead { since_ms, .. }, skip) => Pause::Dead { since_ms, skip },
        }
    }

    /// Whether its lane goes on without it, by now; if so, when it was given up.
    pub(super) fn passed_over(&self, now_ms: u64) -> Option<u64> {
        match *self {
            Pause::Dead { since_ms, skip: Some(skip) } if skip <= now_ms => Some(since_ms),
            Pause::Spent { since_ms } => Some(since_ms),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wait_is_longer_than_it_was_meant_to_be() {
        let now = Now { wall_ms: 100_000, steady_ms: 7_000 };
        let of = |wait| Pause::of(&wait, now, Duration::from_secs(2));
        let dead = |since_ms, skip_ms| Wait::Dead { since_ms, skip_ms: Some(skip_ms) };
        let skips = |since_ms, skip| Pause::Dead { since_ms, skip: Some(skip) };
        assert_eq!(of(Wait::Until(101_500)), Pause::Until(8_500));
        assert_eq!(of(Wait::Until(99_000)), Pause::Until(7_000), "its time has passed");
        assert_eq!(of(Wait::Until(900_000)), Pause::Until(9_000), "stored by a clock ahead");
        assert_eq!(of(dead(99_000, 129_000)), skips(99_000, 36_000));
        assert_eq!(of(dead(999_000, 1_029_000)), skips(999_000, 37_000), "stored by a clock ahead");
        assert_eq!(of(dead(99_000, 0)), Pause::Spent { since_ms: 99_000 });
        assert_eq!(of(Wait::Held), Pause::Held);
        let never = Wait::Dead { since_ms: 5, skip_ms: None };
        assert_eq!(of(never), Pause::Dead { since_ms: 5, skip: None });
    }
}
