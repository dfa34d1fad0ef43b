//! How long a change takes from being read to being billed: one at a time, and under load.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use tokio::sync::watch;

/// Measured latencies, from a microsecond to an hour, to three digits.
#[derive(Debug)]
pub(crate) struct Latency {
    /// Of changes that had the services to themselves.
    pub(crate) alone: Measured,
    /// Of all others: most of it is the time for which they waited for those before them.
    pub(crate) under_load: Measured,
    /// Since when changes come as fast as they are taken.
    loaded: OnceLock<Instant>,
    /// Changes that were billed before the load began.
    billed: watch::Sender<u64>,
}

/// One of the two.
#[derive(Debug)]
pub(crate) struct Measured(Mutex<Histogram<u64>>);

const HOUR_US: u64 = 3_600_000_000;

impl Default for Measured {
    fn default() -> Self {
        // The bounds are in order, and there are three digits: it cannot fail.
        #[expect(clippy::expect_used)]
        let histogram = Histogram::new_with_bounds(1, HOUR_US, 3).expect("bounds in order");
        Measured(Mutex::new(histogram))
    }
}

impl Measured {
    fn record(&self, us: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(us);
    }

    /// How many were measured.
    pub(crate) fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The latency that `part` of all (0.99: 99 %) did not exceed; `None` if none was measured.
    pub(crate) fn at(&self, part: f64) -> Option<Duration> {
        let histogram = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (!histogram.is_empty()).then(|| Duration::from_micros(histogram.value_at_quantile(part)))
    }
}

impl Default for Latency {
    fn default() -> Self {
        let (alone, under_load) = Default::default();
        let (loaded, billed) = (OnceLock::new(), watch::Sender::new(0));
        Latency { alone, under_load, loaded, billed }
    }
}

impl Latency {
    /// A change that was read at that time is billed.
    pub(crate) fn record(&self, read_us: u64) {
        let took = now_us().saturating_sub(read_us).max(1);
        if self.loaded.get().is_some() {
            return self.under_load.record(took);
        }
        self.alone.record(took);
        self.billed.send_modify(|billed| *billed += 1);
    }

    /// From here on changes come as fast as they are taken.
    pub(crate) fn load(&self) {
        self.loaded.get_or_init(Instant::now);
    }

    /// For how long they have.
    pub(crate) fn loaded_for(&self) -> Duration {
        self.loaded.get().map(Instant::elapsed).unwrap_or_default()
    }

    /// Changes that were billed before the load began, as it changes.
    pub(crate) fn billed(&self) -> watch::Receiver<u64> {
        self.billed.subscribe()
    }
}

/// Microseconds since 1970.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
