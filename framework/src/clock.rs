//! Time, handed in: the only place that reads a clock.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Where a service reads the time.
///
/// Paused time (`tokio::time::pause`, as `TestApp` uses it) moves a [`Clock::fixed`] with it, so
/// that the same test gives the same times.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Milliseconds since the epoch at an instant of tokio's clock.
    Fixed(u64, Instant),
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

impl Clock {
    /// The machine's clock.
    pub(crate) fn system() -> Self {
        Clock(Source::System)
    }

    /// A clock that starts at `ms` since 1970 and goes on with tokio's time.
    pub(crate) fn fixed(ms: u64) -> Self {
        Clock(Source::Fixed(ms, Instant::now()))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) fn now_ms(&self) -> u64 {
        let millis = |elapsed: Duration| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        match &self.0 {
            Source::System => {
                SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, millis)
            }
            Source::Fixed(start, at) => start.saturating_add(millis(at.elapsed())),
        }
    }

    /// Blocks the thread that long: for work that blocks anyway.
    pub(crate) fn block(duration: Duration) {
        std::thread::sleep(duration);
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
