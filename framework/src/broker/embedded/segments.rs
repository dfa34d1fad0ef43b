//! What each live segment holds, and from which one on the segments are needed.

use std::collections::{BTreeMap, VecDeque};

use crate::journal::Place;

/// Bytes of a frame in its segment besides its payload, at most: header and padding.
const FRAME_BYTES: u64 = 56;

/// The live segments, oldest first.
#[derive(Debug, Default)]
pub(super) struct Segments {
    segments: VecDeque<SegmentUse>,
    live_bytes: u64,
}

#[derive(Debug)]
struct SegmentUse {
    number: u64,
    first_sequence: u64,
    bytes: u64,
    /// Bytes of records, by topic.
    topics: BTreeMap<u32, u64>,
}

impl Segments {
    /// Counts a frame, and what it holds of each topic.
    pub(super) fn push(&mut self, place: Place, topics: impl Iterator<Item = (u32, u64)>) {
        if self.segments.back().is_none_or(|newest| newest.number != place.segment) {
            let first_sequence = place.sequence;
            let (number, topics) = (place.segment, BTreeMap::new());
            self.segments.push_back(SegmentUse { number, first_sequence, bytes: 0, topics });
        }
        self.live_bytes += frame_bytes(place.length);
        if let Some(newest) = self.segments.back_mut() {
            newest.bytes += frame_bytes(place.length);
            for (topic, bytes) in topics {
                *newest.topics.entry(topic).or_default() += bytes;
            }
        }
    }

    /// Bytes of all frames in live segments.
    pub(super) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// Bytes of records of all live segments, by topic.
    pub(super) fn bytes_by_topic(&self) -> BTreeMap<u32, u64> {
        let mut all = BTreeMap::new();
        for (topic, bytes) in self.segments.iter().flat_map(|segment| &segment.topics) {
            *all.entry(*topic).or_default() += bytes;
        }
        all
    }

    /// Bytes of the segment that has this sequence, and of those behind it.
    pub(super) fn bytes_from(&self, sequence: u64) -> u64 {
        let first = self.segments.partition_point(|segment| segment.first_sequence <= sequence);
        self.segments.iter().skip(first.saturating_sub(1)).map(|segment| segment.bytes).sum()
    }

    /// Whether there is a segment besides the one that is written.
    pub(super) fn has_older(&self) -> bool {
        self.segments.len() > 1
    }

    /// The first sequence of the oldest segment that is needed when frame `needed` is, and besides
    /// it the newest `bytes_max` bytes of every topic for which `keeps` says so. Nothing is needed
    /// of a whole segment before it.
    pub(super) fn needed_from(
        &self,
        needed: Option<u64>,
        keeps: impl Fn(u32) -> bool,
        bytes_max: u64,
    ) -> Option<u64> {
        let mut from = self.segments.back()?.first_sequence;
        let mut newer: BTreeMap<u32, u64> = BTreeMap::new();
        for segment in self.segments.iter().rev() {
            let by_consumer = needed.is_some_and(|needed| needed < from);
            let mut by_topic = false;
            for (&topic, bytes) in &segment.topics {
                let newer = newer.entry(topic).or_default();
                by_topic |= *newer < bytes_max && keeps(topic);
                *newer += bytes;
            }
            if by_consumer || by_topic {
                from = segment.first_sequence;
            }
        }
        Some(from)
    }

    /// The first sequence of the oldest live segment.
    pub(super) fn first_sequence(&self) -> Option<u64> {
        self.segments.front().map(|oldest| oldest.first_sequence)
    }

    /// The first sequence of the segment after the oldest.
    pub(super) fn second_sequence(&self) -> Option<u64> {
        self.segments.get(1).map(|second| second.first_sequence)
    }

    /// Forgets the segments that begin before sequence `below`.
    pub(super) fn forget_before(&mut self, below: u64) {
        while self.segments.front().is_some_and(|oldest| oldest.first_sequence < below)
            && let Some(oldest) = self.segments.pop_front()
        {
            self.live_bytes -= oldest.bytes;
        }
    }
}

/// Bytes that a frame takes in its segment.
pub(super) fn frame_bytes(payload: u64) -> u64 {
    payload + FRAME_BYTES
}
