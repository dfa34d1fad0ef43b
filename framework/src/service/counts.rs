//! What a service has done since it was started.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::wiring::Wiring;

/// Counts since the start; for looking on, not for proof. Proof is what the store holds.
#[derive(Debug)]
pub struct Counts {
    handlers: Vec<(Arc<str>, AtomicU64)>,
    fetched: AtomicU64,
    duplicates: AtomicU64,
}

impl Counts {
    pub(crate) fn new(wiring: &Wiring) -> Self {
        let handlers = wiring.handlers.iter();
        Counts {
            handlers: handlers.map(|h| (Arc::clone(&h.name), AtomicU64::new(0))).collect(),
            fetched: AtomicU64::new(0),
            duplicates: AtomicU64::new(0),
        }
    }

    /// Effects that became durable, handler by handler.
    pub fn handled(&self) -> impl Iterator<Item = (&str, u64)> {
        self.handlers.iter().map(|(name, count)| (&**name, count.load(Ordering::Relaxed)))
    }

    /// Records that came from the broker.
    pub fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    /// Records that were a further copy of a message, and had no effect.
    pub fn duplicates(&self) -> u64 {
        self.duplicates.load(Ordering::Relaxed)
    }

    pub(crate) fn count_fetched(&self, count: u64) {
        self.fetched.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn count_duplicates(&self, count: u64) {
        self.duplicates.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn count_handled(&self, handler: usize) {
        if let Some((_, count)) = self.handlers.get(handler) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}
