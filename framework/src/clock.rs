//! Time, handed in: the only place that reads a clock.

use std::future::{Future, poll_fn};
use std::pin::pin;
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

/// Where a service reads the time.
///
/// Paused time (`tokio::time::pause`, as `TestApp` uses it) moves a [`Clock::fixed`] with it, so
/// that the same test gives the same times.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Source);

/// That time in milliseconds since 1970, rounded up: what is to happen then is not early.
pub(crate) fn ms_until(time: SystemTime) -> u64 {
    let nearly = Duration::from_nanos(999_999);
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    millis(since.saturating_add(nearly))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How long a wait goes on before the machine's clock is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

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

    /// Waits until that time, milliseconds since 1970; for ever if there is none.
    pub(crate) async fn sleep_until(&self, due_ms: Option<u64>) {
        let Some(due_ms) = due_ms else { return std::future::pending().await };
        // A clock of the machine may be set meanwhile: it is looked at again.
        while let wait @ 1.. = due_ms.saturating_sub(self.now_ms()) {
            tokio::time::sleep(Duration::from_millis(wait).min(LOOK_AGAIN)).await;
        }
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
