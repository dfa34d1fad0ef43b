//! What the broker's handles and its writer share: the index of what is durable, behind one lock.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use super::drops::Dropped;
use super::frame::Run;
use super::frames::Frames;
use super::options::EmbeddedOptions;
use super::registrations::Registrations;
use super::segments::Segments;
use super::topics::Topics;
use crate::broker::BrokerError;
use crate::journal::{Disk, JournalError, Place, Reader};

/// What is durable, and who takes it.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) topics: Topics,
    pub(super) frames: Frames,
    pub(super) segments: Segments,
    pub(super) registrations: Registrations,
    /// Counts the changes of topics and registrations. No frame that relies on a change is written
    /// before a snapshot with it.
    pub(super) registry: u64,
    /// Why nothing works any more: the first cause.
    stopped: Option<BrokerError>,
}

/// The state, and signals for those who wait for it to change.
pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) options: EmbeddedOptions,
    pub(super) reader: Box<dyn ReadFrame>,
    /// Signals that there is more to fetch, or a reason to give up.
    pub(super) changed: watch::Sender<()>,
    /// Signals that there may be room.
    pub(super) space: watch::Sender<()>,
}

/// Reads frames from the disk, whatever disk it is.
pub(super) trait ReadFrame: Send + Sync {
    /// Reads and checks a frame. Blocks.
    fn payload(&self, place: Place) -> Result<Vec<u8>, JournalError>;
}

impl<D: Disk> ReadFrame for Reader<D> {
    fn payload(&self, place: Place) -> Result<Vec<u8>, JournalError> {
        Reader::payload(self, place)
    }
}

/// A frame of records on its way from the journal into the index.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) place: Place,
    /// When it was written, milliseconds since 1970.
    pub(super) time_ms: u64,
    pub(super) runs: Vec<Run>,
    pub(super) bytes: Bytes,
}

impl Shared {
    pub(super) fn new(state: State, options: EmbeddedOptions, reader: Box<dyn ReadFrame>) -> Self {
        let (changed, space) = (watch::Sender::new(()), watch::Sender::new(()));
        Shared { state: Mutex::new(state), options, reader, changed, space }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, if the broker still works.
    pub(super) fn running(&self) -> Result<MutexGuard<'_, State>, BrokerError> {
        let state = self.lock();
        state.stopped.clone().map_or(Ok(state), Err)
    }

    /// Makes durable frames fetchable.
    pub(super) fn show(&self, written: impl IntoIterator<Item = Written>) {
        let mut state = self.lock();
        for frame in written {
            state.show(frame, self.options.cache_bytes_max);
        }
    }

    /// Stops everything. The first cause stays.
    pub(super) fn stop(&self, cause: BrokerError) {
        self.lock().stopped.get_or_insert(cause);
        self.announce();
    }

    /// Why the broker stopped, if it did.
    pub(super) fn stopped(&self) -> Option<BrokerError> {
        self.lock().stopped.clone()
    }

    /// Wakes everybody who waits.
    pub(super) fn announce(&self) {
        self.changed.send_replace(());
        self.space.send_replace(());
    }
}

impl State {
    /// Adds a durable frame to the index.
    pub(super) fn show(&mut self, frame: Written, cache_bytes_max: u64) {
        let Written { place, time_ms, runs, bytes } = frame;
        self.segments.push(place, runs.iter().map(|run| (run.road.topic, run.bytes.into())));
        for run in &runs {
            self.topics.append(run, place.sequence);
        }
        self.frames.push(place, time_ms, bytes, cache_bytes_max);
    }

    /// The sequence below which all segments can go now, if there is one to go.
    pub(super) fn releasable(&self, options: &EmbeddedOptions) -> Option<u64> {
        if !self.segments.has_older() {
            return None;
        }
        let oldest = self.segments.first_sequence()?;
        let needed = self.registrations.furthest_behind(&self.topics).map(|(_, frame)| frame);
        let unregistered = |topic| !self.registrations.has_topic(topic);
        let bytes_max = options.unregistered_bytes_max;
        let from = self.segments.needed_from(needed, unregistered, bytes_max)?;
        if from > oldest {
            return Some(from);
        }
        // At the disk limit, records that nobody is registered for go first, a segment at a time.
        let from = self.segments.needed_from(needed, |_| false, 0)?;
        let at_limit = self.segments.live_bytes() > options.disk_bytes_max;
        self.segments.second_sequence().filter(|&second| at_limit && second <= from)
    }

    /// Forgets the segments before sequence `below`; what goes with them that nobody is registered
    /// for.
    pub(super) fn forget_before(&mut self, below: u64) -> Vec<Dropped> {
        let registrations = &self.registrations;
        let dropped = self.topics.forget_before(below, |topic| !registrations.has_topic(topic));
        self.frames.forget_before(below);
        self.segments.forget_before(below);
        dropped
    }

    /// Whether there is room for messages from outside. Where nobody holds anything back, waiting
    /// would not make any.
    pub(super) fn has_room(&self, options: &EmbeddedOptions) -> bool {
        self.segments.live_bytes() <= options.disk_bytes_max
            || self.registrations.furthest_behind(&self.topics).is_none()
    }

    /// Whether `bytes` more fit, the reserve counted.
    pub(super) fn admit(&self, bytes: u64, options: &EmbeddedOptions) -> Result<(), BrokerError> {
        let limit_bytes = options.disk_bytes_max;
        let max = limit_bytes.saturating_add(options.reserve_bytes);
        if self.segments.live_bytes().saturating_add(bytes) <= max {
            return Ok(());
        }
        match self.registrations.furthest_behind(&self.topics) {
            Some((name, _)) => Err(BrokerError::Full { limit_bytes, consumer: Arc::clone(name) }),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("options", &self.options).finish_non_exhaustive()
    }
}
