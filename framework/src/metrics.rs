//! Metrics: what a service tells the `metrics` facade, for whatever exporter the program has
//! installed. Without one, nothing of it costs anything. The guide `docs/guide/observe.md` lists
//! the names, which stay.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Label, Unit};

use crate::vitals::Vitals;

/// A number that only rises, and what of it was told.
#[derive(Debug)]
pub(crate) struct Count {
    value: AtomicU64,
    told: AtomicU64,
    counter: Counter,
}

impl Count {
    pub(crate) fn add(&self, count: u64) {
        self.value.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }

    /// Tells what has come since it was told last.
    pub(crate) fn tell(&self) {
        let value = self.get();
        let told = self.told.fetch_max(value, Ordering::Relaxed);
        if value > told {
            self.counter.increment(value - told);
        }
    }
}

/// The names of what is counted, with what they mean.
const COUNTS: [(&str, &str); 13] = [
    (ACCEPTED, "Messages that were taken in from outside."),
    (FETCHED, "Records that came from the broker."),
    (DUPLICATES, "Records that were a further copy of a message, and had no effect."),
    (INVALID, "Records that were no message."),
    (UNHANDLED, "Messages of a type that no handler takes, which were stored."),
    (IGNORED, "Messages of a type that the app ignores."),
    (HELD, "Deliveries that were held behind one that failed."),
    (HANDLED, "Effects that became durable."),
    (RETRIED, "Attempts that failed and are made again."),
    (DEAD, "Deliveries that became dead letters."),
    (LOST, "Records that the broker has lost before they were handled."),
    (MISMATCHED, "Records of a known position with another content."),
    (DROPPED, "Records that the embedded broker dropped from a topic that nobody reads."),
];

pub(crate) const ACCEPTED: &str = "endwise_accepted_total";
pub(crate) const FETCHED: &str = "endwise_fetched_total";
pub(crate) const DUPLICATES: &str = "endwise_duplicates_total";
pub(crate) const INVALID: &str = "endwise_invalid_total";
pub(crate) const UNHANDLED: &str = "endwise_unhandled_total";
pub(crate) const IGNORED: &str = "endwise_ignored_total";
pub(crate) const HELD: &str = "endwise_held_total";
pub(crate) const HANDLED: &str = "endwise_handled_total";
pub(crate) const RETRIED: &str = "endwise_retried_total";
pub(crate) const DEAD: &str = "endwise_dead_total";
pub(crate) const LOST: &str = "endwise_lost_total";
pub(crate) const MISMATCHED: &str = "endwise_mismatched_total";
const DROPPED: &str = "endwise_broker_dropped_total";

/// The counter of the records that an embedded broker drops from a topic. It has no service: its
/// label is the topic.
pub(crate) fn dropped(topic: &Arc<str>) -> Counter {
    describe();
    metrics::counter!(DROPPED, vec![Label::new("topic", Arc::clone(topic))])
}

/// The names of what there is at the moment, with what they mean.
const GAUGES: [(&str, &str); 10] = [
    ("endwise_in_flight", "Records that were fetched and are not committed."),
    ("endwise_in_flight_bytes", "Bytes of the records that were fetched and are not committed."),
    ("endwise_lag", "Records at the broker that the service has not settled."),
    ("endwise_holds", "Deliveries that are held behind one that failed."),
    ("endwise_waiting", "Deliveries that wait for their next attempt."),
    ("endwise_dead_letters", "Deliveries that were given up and wait for an operator."),
    ("endwise_kept_bytes", "Bytes of all that is held, waits, or was given up."),
    ("endwise_timers", "Messages that wait for their time."),
    ("endwise_unhandled", "Messages of a type that no handler takes, stored until one does."),
    (OUTBOX, "Messages that are committed and not confirmed by the broker."),
];

const OUTBOX: &str = "endwise_outbox";
const SYNC: &str = "endwise_sync_seconds";

/// A service's handles, taken once: a recorder that is installed later hears nothing of it.
#[derive(Debug)]
pub(crate) struct Meter {
    service: Arc<str>,
    /// In the order of `GAUGES`.
    gauges: Vec<Gauge>,
    outbox: Outbox,
    sync: Histogram,
}

impl Meter {
    pub(crate) fn new(service: Arc<str>) -> Self {
        describe();
        let label = || vec![Label::new("service", Arc::clone(&service))];
        let gauges = GAUGES.iter().map(|(name, _)| metrics::gauge!(*name, label()));
        Meter {
            gauges: gauges.collect(),
            outbox: Outbox(metrics::gauge!(OUTBOX, label())),
            sync: metrics::histogram!(SYNC, label()),
            service,
        }
    }

    /// A count of the service, or of one of its handlers.
    pub(crate) fn count(&self, name: &'static str, handler: Option<&Arc<str>>) -> Count {
        let service = Label::new("service", Arc::clone(&self.service));
        let handler = handler.map(|handler| Label::new("handler", Arc::clone(handler)));
        let labels: Vec<Label> = [service].into_iter().chain(handler).collect();
        let counter = metrics::counter!(name, labels);
        Count { value: AtomicU64::new(0), told: AtomicU64::new(0), counter }
    }

    /// The messages that wait for the broker, for those who put them there and take them away.
    pub(crate) fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    /// A commit took so long to become durable.
    pub(crate) fn synced(&self, took: Duration) {
        self.sync.record(took.as_secs_f64());
    }

    /// Tells how the service is doing.
    pub(crate) fn tell(&self, vitals: &Vitals, lag: Option<u64>) {
        let totals = *vitals.totals.borrow();
        let now = [
            Some(vitals.in_flight.now() as u64),
            Some(vitals.in_flight_bytes.now() as u64),
            lag,
            Some(totals.held),
            Some(totals.waiting),
            Some(totals.dead),
            Some(totals.kept_bytes),
            Some(totals.timers),
            Some(totals.unhandled),
        ];
        for (gauge, now) in self.gauges.iter().zip(now) {
            if let Some(now) = now {
                gauge.set(now as f64);
            }
        }
    }
}

/// The gauge of the outbox. Two parts move it, each by what it did.
#[derive(Clone, Debug)]
pub(crate) struct Outbox(Gauge);

impl Outbox {
    /// So many are there at the start.
    pub(crate) fn begin(&self, count: usize) {
        self.0.set(count as f64);
    }

    pub(crate) fn add(&self, count: usize) {
        self.0.increment(count as f64);
    }

    pub(crate) fn remove(&self, count: usize) {
        self.0.decrement(count as f64);
    }
}

fn describe() {
    for (name, about) in COUNTS {
        metrics::describe_counter!(name, Unit::Count, about);
    }
    for (name, about) in GAUGES {
        let unit = if name.ends_with("_bytes") { Unit::Bytes } else { Unit::Count };
        metrics::describe_gauge!(name, unit, about);
    }
    let about = "How long a commit took to become durable.";
    metrics::describe_histogram!(SYNC, Unit::Seconds, about);
}

#[cfg(test)]
mod tests;
