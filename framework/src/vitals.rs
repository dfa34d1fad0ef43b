//! How a service is doing, as its parts say it while it runs: for looking on, not for deciding.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::watch;

use crate::status::FullStream;
use crate::store::Totals;

mod waits;

pub(crate) use waits::Waits;

/// Set by the parts of a service, read by whoever asks how it is.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    /// How much the store keeps, after each commit.
    pub(crate) totals: watch::Sender<Totals>,
    /// Lanes that go on by themselves: with something in progress, or a next attempt to come.
    pub(crate) live: watch::Sender<usize>,
    /// Messages from outside that were called in and are not committed.
    pub(crate) coming: watch::Sender<usize>,
    /// Records that were fetched and are not committed, as the loop saw it last.
    pub(crate) fetched: watch::Sender<usize>,
    /// The store has no room: a commit is tried again until it has.
    pub(crate) no_room: Flag,
    /// So much is kept that nothing more is fetched.
    pub(crate) holds_full: Flag,
    /// So many records are no message that nothing more is fetched.
    pub(crate) invalid_full: Flag,
    /// So many messages that no handler takes are stored that nothing more is fetched.
    pub(crate) unhandled_full: Flag,
    /// So many messages wait for their time that none is handled or taken in.
    pub(crate) timers_full: Flag,
    /// So many messages wait for the broker that none is handled or taken in.
    pub(crate) outbox_full: Flag,
    /// The broker has no room for what is to be published: the relay tries again until it has.
    pub(crate) broker_full: Flag,
    /// Streams of which nothing more is taken: they have as many holes as one may have.
    pub(crate) full_streams: watch::Sender<Vec<FullStream>>,
    /// Bytes of the messages that are committed and that the broker has not confirmed.
    pub(crate) outbox_bytes: Level,
    /// Messages that ran when the process died, and run alone now before anything else does.
    pub(crate) probation: Gauge,
    /// Records that were fetched and are not committed.
    pub(crate) in_flight: Gauge,
    /// Their bytes.
    pub(crate) in_flight_bytes: Gauge,
    /// Messages that are committed and that the broker has not confirmed, after each commit.
    pub(crate) outbox: Gauge,
    /// What waits, beside all that.
    pub(crate) waits: Waits,
    /// It was told to stop.
    pub(crate) stopping: Flag,
    /// It has ended, whatever the reason.
    pub(crate) ended: Flag,
}

/// Messages from outside that are on their way to their commit: counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Coming(watch::Sender<usize>, usize);

impl Coming {
    pub(crate) fn new(count: &watch::Sender<usize>, messages: usize) -> Self {
        count.send_modify(|coming| *coming += messages);
        Coming(count.clone(), messages)
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.send_modify(|coming| *coming = coming.saturating_sub(self.1));
    }
}

/// Whether something is so at the moment.
#[derive(Debug, Default)]
pub(crate) struct Flag(AtomicBool);

impl Flag {
    pub(crate) fn set(&self, is: bool) {
        self.0.store(is, Ordering::Relaxed);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How much of something there is, as those say who add to it and take from it.
#[derive(Debug, Default)]
pub(crate) struct Level(AtomicUsize);

impl Level {
    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn remove(&self, count: usize) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// How much of something there is, and the most that there was.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Gauge {
    pub(crate) fn set(&self, now: usize) {
        self.now.store(now, Ordering::Relaxed);
        self.most.fetch_max(now, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    /// The high-water mark since the start.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}
