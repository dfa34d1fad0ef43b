//! Time, handed in: the only place that reads a clock.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// It has just begun.
    pub(crate) fn start() -> Self {
        Stopwatch(Instant::now())
    }

    /// How long it has taken so far.
    pub(crate) fn took(self) -> Duration {
        self.0.elapsed()
    }
}

/// Where a service reads the time: two clocks in one.
///
/// The *wall clock* says what time it is, for what people and other services see; it can be set,
/// forward and back. The *steady clock* only goes forward, at the pace of tokio's time: all waits
/// go by it. It began with the wall clock's time when this clock was made, so the two differ by
/// what the wall clock was set since.
///
/// Paused time (`tokio::time::pause`, as `TestApp` uses it) moves a [`Clock::fixed`] with it, so
/// that the same test gives the same times.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    source: Source,
    /// The steady clock's reading when it began, and when that was.
    began_ms: u64,
    began: Instant,
}

/// Both clocks, read at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    /// Milliseconds since 1970, as the machine has it.
    pub(crate) wall_ms: u64,
    /// The steady clock.
    pub(crate) steady_ms: u64,
}

impl Now {
    /// The steady clock's reading when a wait ends that has so long to go.
    pub(crate) fn steady_in(self, left_ms: u64) -> u64 {
        self.steady_ms.saturating_add(left_ms)
    }

    /// Whether the wall clock was set back since an earlier reading, by a second or more.
    pub(crate) fn was_set_back_since(self, earlier: Now) -> bool {
        let passed_ms = self.steady_ms.saturating_sub(earlier.steady_ms);
        self.wall_ms.saturating_add(1_000) <= earlier.wall_ms.saturating_add(passed_ms)
    }

    /// The steady clock's reading at a time of the wall clock's past; now, for what lies ahead of
    /// a clock that was set back.
    pub(crate) fn steady_at(self, past_ms: u64) -> u64 {
        self.steady_ms.saturating_sub(self.wall_ms.saturating_sub(past_ms))
    }
}

/// That time in milliseconds since 1970, rounded up: what is to happen then is not early.
pub(crate) fn ms_until(time: SystemTime) -> u64 {
    let nearly = Duration::from_nanos(999_999);
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    millis(since.saturating_add(nearly))
}

/// Whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How long a wait goes on before the machine's clock is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// A wall clock for tests, which its clones share.
    Fixed(Arc<Fixed>),
}

#[derive(Debug)]
struct Fixed {
    /// Milliseconds since the epoch at an instant of tokio's clock.
    began_ms: u64,
    began: Instant,
    /// By how much it was set since.
    set_ms: AtomicI64,
}

impl Fixed {
    fn now_ms(&self) -> u64 {
        let unset = self.began_ms.saturating_add(millis(self.began.elapsed()));
        unset.saturating_add_signed(self.set_ms.load(Ordering::Relaxed))
    }
}

/// A reading of a clock that only goes forward, whatever is done to the machine's time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(Instant);

impl Moment {
    /// Now. Paused time moves it.
    pub(crate) fn now() -> Self {
        Moment(Instant::now())
    }

    /// How long ago it was.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

impl Source {
    fn now_ms(&self) -> u64 {
        match self {
            Source::System => {
                SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, millis)
            }
            Source::Fixed(fixed) => fixed.now_ms(),
        }
    }
}

impl Clock {
    /// The machine's clock.
    pub(crate) fn system() -> Self {
        Clock::of(Source::System)
    }

    /// A clock that starts at `ms` since 1970 and goes on with tokio's time.
    pub(crate) fn fixed(ms: u64) -> Self {
        let (began, set_ms) = (Instant::now(), AtomicI64::new(0));
        Clock::of(Source::Fixed(Arc::new(Fixed { began_ms: ms, began, set_ms })))
    }

    fn of(source: Source) -> Self {
        Clock { began_ms: source.now_ms(), began: Instant::now(), source }
    }

    /// The same wall clock, with a steady clock that begins now: what a new process has.
    pub(crate) fn restarted(&self) -> Self {
        Clock::of(self.source.clone())
    }

    /// Sets the wall clock forward, or back, by so many milliseconds. Only a fixed one can be set.
    pub(crate) fn set_by(&self, ms: i64) {
        if let Source::Fixed(fixed) = &self.source {
            fixed.set_ms.fetch_add(ms, Ordering::Relaxed);
        }
    }

    /// The wall clock: milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) fn now_ms(&self) -> u64 {
        self.source.now_ms()
    }

    /// The steady clock, in milliseconds: to be compared with its other readings alone.
    pub(crate) fn steady_ms(&self) -> u64 {
        self.began_ms.saturating_add(millis(self.began.elapsed()))
    }

    /// Both.
    pub(crate) fn read(&self) -> Now {
        Now { wall_ms: self.now_ms(), steady_ms: self.steady_ms() }
    }

    /// Blocks the thread that long: for work that blocks anyway.
    pub(crate) fn block(duration: Duration) {
        std::thread::sleep(duration);
    }

    /// What a future gives, or `None` if that takes longer. Nothing is set up for one that is
    /// ready at once, as most handlers are.
    pub(crate) async fn timeout<F: Future>(&self, limit: Duration, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let first = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        match first {
            Poll::Ready(output) => Some(output),
            Poll::Pending => tokio::time::timeout(limit, future).await.ok(),
        }
    }

    /// Waits until the steady clock is there; for ever if there is no such time.
    pub(crate) async fn sleep_until_steady(&self, due_ms: Option<u64>) {
        let Some(due_ms) = due_ms else { return std::future::pending().await };
        while let wait @ 1.. = due_ms.saturating_sub(self.steady_ms()) {
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
    }

    /// Waits until the wall clock is there, milliseconds since 1970, but for a minute at most: it
    /// may be set meanwhile, and whoever waits for it is to look again. For ever if there is no
    /// such time.
    pub(crate) async fn sleep_towards(&self, due_ms: Option<u64>) {
        let Some(due_ms) = due_ms else { return std::future::pending().await };
        let wait = Duration::from_millis(due_ms.saturating_sub(self.now_ms()));
        tokio::time::sleep(wait.min(LOOK_AGAIN)).await;
    }

    /// Blocks the thread until another one unparks it, or that long; without a time, for ever.
    pub(crate) fn park(most: Option<Duration>) {
        match most {
            Some(most) => std::thread::park_timeout(most),
            None => std::thread::park(),
        }
    }

    /// Waits that long.
    pub(crate) async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn setting_the_wall_clock_moves_no_steady_one() {
        let clock = Clock::fixed(10_000_000);
        tokio::time::advance(Duration::from_secs(5)).await;
        clock.set_by(-3_600_000);
        assert_eq!(clock.read(), Now { wall_ms: 6_405_000, steady_ms: 10_005_000 });
        clock.sleep_until_steady(Some(10_006_000)).await;
        let now = clock.read();
        assert_eq!(now, Now { wall_ms: 6_406_000, steady_ms: 10_006_000 });
        assert_eq!(now.steady_in(2_000), 10_008_000);
        assert_eq!(now.steady_at(6_400_000), 10_000_000);
        assert_eq!(now.steady_at(10_000_000), now.steady_ms, "not later than now");
        let before = Now { wall_ms: 10_005_000, steady_ms: 10_005_000 };
        assert!(now.was_set_back_since(before) && !now.was_set_back_since(now));
        assert_eq!(clock.restarted().read(), Now { wall_ms: 6_406_000, steady_ms: 6_406_000 });
    }
}
