//! Where the live frames stand, and the newest of them in memory.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::journal::Place;

/// The live frames of the journal, by sequence: 36 bytes each, whatever they hold.
#[derive(Debug, Default)]
pub(super) struct Frames {
    places: VecDeque<Place>,
    /// When each was written, in seconds since 1970.
    times: VecDeque<u32>,
    /// The newest frames' bytes; the last belongs to the last place.
    cached: VecDeque<Bytes>,
    cached_bytes: u64,
}

/// A frame as it can be had.
#[derive(Debug)]
pub(super) enum Found {
    /// From memory.
    Cached(Bytes),
    /// From the disk: the frame, and those behind it that are worth reading with it.
    OnDisk(Vec<Place>),
}

impl Frames {
    /// Adds the next frame. `bytes` is empty for one that nobody will read.
    pub(super) fn push(&mut self, place: Place, time_ms: u64, bytes: Bytes, cache_bytes_max: u64) {
        self.places.push_back(place);
        self.times.push_back(u32::try_from(time_ms / 1_000).unwrap_or(u32::MAX));
        self.cached_bytes += cost(&bytes);
        self.cached.push_back(bytes);
        while self.cached_bytes > cache_bytes_max
            && let Some(oldest) = self.cached.pop_front()
        {
            self.cached_bytes -= cost(&oldest);
        }
    }

    /// The place of a frame.
    pub(super) fn place(&self, sequence: u64) -> Option<Place> {
        let first = self.places.front()?.sequence;
        self.places.get(usize::try_from(sequence.checked_sub(first)?).ok()?).copied()
    }

    /// When a frame was written, milliseconds since 1970, to the second.
    pub(super) fn time_ms(&self, sequence: u64) -> Option<u64> {
        let first = self.places.front()?.sequence;
        let index = usize::try_from(sequence.checked_sub(first)?).ok()?;
        self.times.get(index).map(|&seconds| u64::from(seconds) * 1_000)
    }

    /// A frame; from the disk together with those behind it, up to `bytes_max` of them.
    pub(super) fn find(&self, sequence: u64, bytes_max: u64) -> Option<Found> {
        let first = self.places.front()?.sequence;
        let index = usize::try_from(sequence.checked_sub(first)?).ok()?;
        let uncached = self.places.len() - self.cached.len();
        if let Some(cached) = index.checked_sub(uncached) {
            return self.cached.get(cached).cloned().map(Found::Cached);
        }
        let mut bytes = 0;
        let fits = |place: &&Place| {
            bytes += place.length;
            bytes <= bytes_max || bytes == place.length
        };
        Some(Found::OnDisk(self.places.range(index..uncached).take_while(fits).copied().collect()))
    }

    /// Forgets the frames before sequence `below`.
    pub(super) fn forget_before(&mut self, below: u64) {
        while self.places.front().is_some_and(|place| place.sequence < below) {
            self.places.pop_front();
            self.times.pop_front();
            if self.cached.len() > self.places.len()
                && let Some(bytes) = self.cached.pop_front()
            {
                self.cached_bytes -= cost(&bytes);
            }
        }
    }
}

/// What a frame costs in the cache: with many small ones, their handles count too.
fn cost(bytes: &Bytes) -> u64 {
    bytes.len() as u64 + 64
}
