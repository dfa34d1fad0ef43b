//! What a service has done since it was started.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::broker::Broker;
use crate::metrics::{self, Count, Meter, Outbox};
use crate::vitals::Vitals;
use crate::wiring::{Wired, Wiring};

/// Counts since the start; for looking on, not for proof. Proof is what the store holds.
#[derive(Debug)]
pub struct Counts {
    service: Arc<str>,
    handlers: Vec<OfHandler>,
    accepted: Count,
    fetched: Count,
    duplicates: Count,
    held: Count,
    invalid: Count,
    unhandled: Count,
    ignored: Count,
    lost: Count,
    mismatched: Count,
    lag: Lag,
    meter: Meter,
}

/// The counts of one handler.
#[derive(Debug)]
struct OfHandler {
    name: Arc<str>,
    handled: Count,
    retried: Count,
    dead: Count,
}

/// Where a service's lag is known.
struct Lag {
    /// Whoever only looks on keeps no broker open.
    broker: Weak<dyn Broker>,
    /// When it was told last, by the steady clock.
    told_ms: AtomicU64,
}

/// How often the lag is told while messages are in flight: a broker has to add it up.
const LAG_MS: u64 = 100;

impl fmt::Debug for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lag").finish_non_exhaustive()
    }
}

impl Counts {
    pub(crate) fn new(wiring: &Wiring, broker: &Arc<dyn Broker>) -> Self {
        let meter = Meter::new(Arc::clone(&wiring.service));
        let handlers = wiring.handlers.iter().map(|Wired { name, .. }| OfHandler {
            name: Arc::clone(name),
            handled: meter.count(metrics::HANDLED, Some(name)),
            retried: meter.count(metrics::RETRIED, Some(name)),
            dead: meter.count(metrics::DEAD, Some(name)),
        });
        Counts {
            service: Arc::clone(&wiring.service),
            handlers: handlers.collect(),
            accepted: meter.count(metrics::ACCEPTED, None),
            fetched: meter.count(metrics::FETCHED, None),
            duplicates: meter.count(metrics::DUPLICATES, None),
            held: meter.count(metrics::HELD, None),
            invalid: meter.count(metrics::INVALID, None),
            unhandled: meter.count(metrics::UNHANDLED, None),
            ignored: meter.count(metrics::IGNORED, None),
            lost: meter.count(metrics::LOST, None),
            mismatched: meter.count(metrics::MISMATCHED, None),
            lag: Lag { broker: Arc::downgrade(broker), told_ms: AtomicU64::new(0) },
            meter,
        }
    }

    /// Effects that became durable, handler by handler.
    pub fn handled(&self) -> impl Iterator<Item = (&str, u64)> {
        self.handlers.iter().map(|handler| (&*handler.name, handler.handled.get()))
    }

    /// Attempts that failed and are made again, handler by handler.
    pub fn retried(&self) -> impl Iterator<Item = (&str, u64)> {
        self.handlers.iter().map(|handler| (&*handler.name, handler.retried.get()))
    }

    /// Deliveries that became dead letters, handler by handler.
    pub fn dead(&self) -> impl Iterator<Item = (&str, u64)> {
        self.handlers.iter().map(|handler| (&*handler.name, handler.dead.get()))
    }

    /// Messages that were taken in from outside.
    pub fn accepted(&self) -> u64 {
        self.accepted.get()
    }

    /// Records that came from the broker.
    pub fn fetched(&self) -> u64 {
        self.fetched.get()
    }

    /// Records that were a further copy of a message, and had no effect.
    pub fn duplicates(&self) -> u64 {
        self.duplicates.get()
    }

    /// Deliveries that were held behind one that failed.
    pub fn held(&self) -> u64 {
        self.held.get()
    }

    /// Records that were no message.
    pub fn invalid(&self) -> u64 {
        self.invalid.get()
    }

    /// Messages of a type that no handler takes, which were stored.
    pub fn unhandled(&self) -> u64 {
        self.unhandled.get()
    }

    /// Messages of a type that the app ignores, which were settled and nothing else.
    pub fn ignored(&self) -> u64 {
        self.ignored.get()
    }

    /// Records that the broker had lost before they were handled.
    pub fn lost(&self) -> u64 {
        self.lost.get()
    }

    /// Records of a known position with another content than the first had: they are on the list
    /// of the records that are no message.
    pub fn mismatched(&self) -> u64 {
        self.mismatched.get()
    }

    /// Records at the broker that the service has not settled, where the broker knows; those in
    /// flight are among them.
    pub fn lag(&self) -> Option<u64> {
        self.lag.broker.upgrade()?.lag(&self.service)
    }

    /// Tells the metrics facade what has come to it, and how the service is doing.
    pub(crate) fn tell(&self, vitals: &Vitals, now_ms: u64) {
        let Counts { accepted, fetched, duplicates, held, invalid, .. } = self;
        let Counts { unhandled, ignored, lost, mismatched, .. } = self;
        [accepted, fetched, duplicates, held, invalid, unhandled, ignored, lost, mismatched]
            .into_iter()
            .for_each(Count::tell);
        for OfHandler { handled, retried, dead, .. } in &self.handlers {
            [handled, retried, dead].into_iter().for_each(Count::tell);
        }
        let told_ms = self.lag.told_ms.load(Ordering::Relaxed);
        let is_due = now_ms.saturating_sub(told_ms) >= LAG_MS || vitals.in_flight.now() == 0;
        if is_due {
            self.lag.told_ms.store(now_ms, Ordering::Relaxed);
        }
        self.meter.tell(vitals, is_due.then(|| self.lag()).flatten());
    }

    /// A commit took so long to become durable.
    pub(crate) fn synced(&self, took: Duration) {
        self.meter.synced(took);
    }

    pub(crate) fn count_accepted(&self, count: u64) {
        self.accepted.add(count);
    }

    /// The gauge of what waits for the broker.
    pub(crate) fn outbox(&self) -> Outbox {
        self.meter.outbox()
    }

    pub(crate) fn count_fetched(&self, count: u64) {
        self.fetched.add(count);
    }

    pub(crate) fn count_duplicates(&self, count: u64) {
        self.duplicates.add(count);
    }

    pub(crate) fn count_held(&self, count: u64) {
        self.held.add(count);
    }

    pub(crate) fn count_invalid(&self, count: u64) {
        self.invalid.add(count);
    }

    pub(crate) fn count_unhandled(&self) {
        self.unhandled.add(1);
    }

    pub(crate) fn count_ignored(&self) {
        self.ignored.add(1);
    }

    pub(crate) fn count_lost(&self, count: u64) {
        self.lost.add(count);
    }

    pub(crate) fn count_mismatched(&self) {
        self.mismatched.add(1);
    }

    pub(crate) fn count_handled(&self, handler: usize) {
        self.of(handler, |counts| &counts.handled);
    }

    pub(crate) fn count_retried(&self, handler: usize) {
        self.of(handler, |counts| &counts.retried);
    }

    pub(crate) fn count_dead(&self, handler: usize) {
        self.of(handler, |counts| &counts.dead);
    }

    fn of(&self, handler: usize, which: impl FnOnce(&OfHandler) -> &Count) {
        if let Some(counts) = self.handlers.get(handler) {
            which(counts).add(1);
        }
    }
}
