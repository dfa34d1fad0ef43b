//! How long a change takes from being read to being billed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;

/// Measured latencies, from a microsecond to an hour, to three digits.
#[derive(Debug)]
pub(crate) struct Latency(Mutex<Histogram<u64>>);

const HOUR_US: u64 = 3_600_000_000;

impl Default for Latency {
    fn default() -> Self {
        // The bounds are in order, and there are three digits: it cannot fail.
        #[expect(clippy::expect_used)]
        let histogram = Histogram::new_with_bounds(1, HOUR_US, 3).expect("bounds in order");
        Latency(Mutex::new(histogram))
    }
}

impl Latency {
    /// A change that was read at that time is billed.
    pub(crate) fn record(&self, read_us: u64) {
        let took = now_us().saturating_sub(read_us).max(1);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(took);
    }

    /// The latency that `part` of all (0.99: 99 %) did not exceed.
    pub(crate) fn at(&self, part: f64) -> Duration {
        let histogram = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::from_micros(histogram.value_at_quantile(part))
    }
}

/// Microseconds since 1970.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
