//! What a service has done since it was started.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::wiring::Wiring;

/// Counts since the start; for looking on, not for proof. Proof is what the store holds.
#[derive(Debug)]
pub struct Counts {
    handlers: Vec<OfHandler>,
    accepted: Count,
    fetched: Count,
    duplicates: Count,
    held: Count,
    invalid: Count,
}

/// The counts of one handler.
#[derive(Debug)]
struct OfHandler {
    name: Arc<str>,
    handled: Count,
    retried: Count,
    dead: Count,
}

#[derive(Debug, Default)]
struct Count(AtomicU64);

impl Count {
    fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counts {
    pub(crate) fn new(wiring: &Wiring) -> Self {
        let handlers = wiring.handlers.iter().map(|handler| OfHandler {
            name: Arc::clone(&handler.name),
            handled: Count::default(),
            retried: Count::default(),
            dead: Count::default(),
        });
        Counts {
            handlers: handlers.collect(),
            accepted: Count::default(),
            fetched: Count::default(),
            duplicates: Count::default(),
            held: Count::default(),
            invalid: Count::default(),
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

    pub(crate) fn count_accepted(&self, count: u64) {
        self.accepted.add(count);
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
