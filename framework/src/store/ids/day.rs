//! The time of day, as far as it is believed: a clock can be wrong for a while.

use crate::clock::Now;

/// How long the wall clock must have gone on evenly before it is believed. A machine that starts
/// with a wrong time is put right within minutes.
const EVEN_MS: u64 = 600_000;

/// By how much the wall clock may move against the steady one and still goes on evenly.
const JUMP_MS: u128 = 60_000;

/// What one opening has seen of both clocks.
#[derive(Debug, Default)]
pub(super) struct Day {
    now: Option<Now>,
    /// By how much the wall clock is ahead of the steady one, in milliseconds, and since when.
    even: Option<(i128, u64)>,
    /// The same, once it was so for long enough. It stays: whatever the clock is set to later, the
    /// time that passes in this opening is known.
    believed: Option<i128>,
}

impl Day {
    /// Looks at the clocks. By how many milliseconds the wall clock was set since the last look, if
    /// it was: forward if above 0.
    pub(super) fn see(&mut self, now: Now) -> Option<i128> {
        self.now = Some(now);
        let ahead = i128::from(now.wall_ms) - i128::from(now.steady_ms);
        match self.even {
            Some((was, since)) if ahead.abs_diff(was) <= JUMP_MS => {
                if now.steady_ms.saturating_sub(since) >= EVEN_MS {
                    self.believed.get_or_insert(was);
                }
                None
            }
            before => {
                self.even = Some((ahead, now.steady_ms));
                before.map(|(was, _)| ahead - was)
            }
        }
    }

    /// The steady clock, at the last look.
    pub(super) fn steady_ms(&self) -> u64 {
        self.now.map_or(0, |now| now.steady_ms)
    }

    /// The wall clock, at the last look, whether it is believed or not.
    pub(super) fn wall_ms(&self) -> u64 {
        self.now.map_or(0, |now| now.wall_ms)
    }

    /// The latest time of day that it may be: until then something that is sent now is remembered
    /// over a restart, counted from there.
    pub(super) fn latest_ms(&self) -> u64 {
        self.counted_ms().map_or(self.wall_ms(), |counted| counted.max(self.wall_ms()))
    }

    /// The time of day that has certainly come; `None`: none has yet, in this opening.
    pub(super) fn certain_ms(&self) -> Option<u64> {
        self.counted_ms().map(|counted| counted.min(self.wall_ms()))
    }

    /// The time of day by what was believed and the time that has passed since.
    fn counted_ms(&self) -> Option<u64> {
        let counted = self.believed? + i128::from(self.steady_ms());
        Some(u64::try_from(counted.max(0)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn seen(day: &mut Day, wall_ms: u64, steady_ms: u64) -> (Option<u64>, u64, Option<i128>) {
        let jump = day.see(Now { wall_ms, steady_ms });
        (day.certain_ms(), day.latest_ms(), jump)
    }

    #[test]
    fn a_clock_that_goes_on_evenly_is_believed() {
        let mut day = Day::default();
        assert_eq!(seen(&mut day, 9 * HOUR, 5), (None, 9 * HOUR, None));
        let almost = EVEN_MS - 1;
        assert_eq!(seen(&mut day, 9 * HOUR + almost, 5 + almost).0, None);
        let now = 9 * HOUR + EVEN_MS;
        assert_eq!(seen(&mut day, now, 5 + EVEN_MS), (Some(now), now, None));
        // Put right by less than a minute, as time servers do.
        let drifted = seen(&mut day, now - 50_000, 5 + EVEN_MS);
        assert_eq!(drifted, (Some(now - 50_000), now, None));
    }

    #[test]
    fn a_jump_is_told_once_and_moves_nothing_that_was_believed() {
        let mut day = Day::default();
        seen(&mut day, 9 * HOUR, 0);
        seen(&mut day, 10 * HOUR, HOUR);
        let ahead = seen(&mut day, 36 * HOUR, 2 * HOUR);
        assert_eq!(ahead, (Some(11 * HOUR), 36 * HOUR, Some(i128::from(25 * HOUR))));
        assert_eq!(seen(&mut day, 37 * HOUR, 3 * HOUR).2, None);
        let right = seen(&mut day, 13 * HOUR, 4 * HOUR);
        assert_eq!(right, (Some(13 * HOUR), 13 * HOUR, Some(-i128::from(25 * HOUR))));
        let behind = seen(&mut day, HOUR, 5 * HOUR);
        assert_eq!((behind.0, behind.1), (Some(HOUR), 14 * HOUR));
    }

    #[test]
    fn a_clock_that_is_put_right_soon_was_never_believed() {
        let mut day = Day::default();
        assert_eq!(seen(&mut day, 99 * HOUR, 0).0, None);
        assert_eq!(seen(&mut day, 9 * HOUR, 300_000).0, None);
        assert_eq!(seen(&mut day, 9 * HOUR + 300_000, 600_000).0, None);
        assert_eq!(seen(&mut day, 9 * HOUR + 600_000, 900_000).0, Some(9 * HOUR + 600_000));
    }
}
