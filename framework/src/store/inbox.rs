//! What the service has settled of each stream, and what is half done.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Id, Place};
use super::limits::RUNS_MAX;
use crate::stream::Ranges;

/// The receiver's side of the store's knowledge.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    streams: BTreeMap<Id, InStream>,
    partitions: BTreeMap<Id, Ranges>,
    pending: BTreeMap<Place, Vec<Id>>,
    /// A stream or partition that has as many holes as one may have, if there is one.
    pub(super) full: Option<Place>,
    pub(super) dirty: Dirty,
}

/// One stream that somebody sends to this service.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct InStream {
    pub(super) settled: Ranges,
    /// The highest floor that its sender has shown.
    pub(super) floor: u64,
    /// The latest commit time among the messages that are settled or kept.
    pub(super) time_ms: u64,
}

/// What a checkpoint has to write.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    pub(super) streams: BTreeSet<Id>,
    pub(super) partitions: BTreeSet<Id>,
    pub(super) pending: BTreeSet<Place>,
}

impl Inbox {
    /// Whether a position is settled: every handler that it has here is done with it.
    pub(super) fn is_settled(&self, place: Place) -> bool {
        match place {
            Place::Stream(id, sequence) => {
                self.streams.get(&id).is_some_and(|stream| stream.settled.contains(sequence))
            }
            Place::Foreign(id, offset) => self.is_done(id, offset),
        }
    }

    /// Whether an offset of a partition is done.
    pub(super) fn is_done(&self, partition: Id, offset: u64) -> bool {
        self.partitions.get(&partition).is_some_and(|done| done.contains(offset))
    }

    /// The handlers still to do for a position of which some are done.
    pub(super) fn pending(&self, place: Place) -> Option<&[Id]> {
        self.pending.get(&place).map(Vec::as_slice)
    }

    /// The highest floor seen of a stream.
    pub(super) fn floor(&self, stream: Id) -> u64 {
        self.streams.get(&stream).map_or(0, |stream| stream.floor)
    }

    pub(super) fn settle(&mut self, stream: Id, sequence: u64) {
        let settled = &mut self.streams.entry(stream).or_default().settled;
        settled.insert(sequence);
        if settled.runs().len() > RUNS_MAX {
            self.full = Some(Place::Stream(stream, sequence));
        }
        self.dirty.streams.insert(stream);
    }

    pub(super) fn raise_floor(&mut self, stream: Id, floor: u64) {
        let known = self.streams.entry(stream).or_default();
        known.floor = known.floor.max(floor);
        self.dirty.streams.insert(stream);
    }

    /// The latest commit time of a stream.
    pub(super) fn time_ms(&self, stream: Id) -> u64 {
        self.streams.get(&stream).map_or(0, |stream| stream.time_ms)
    }

    pub(super) fn raise_time(&mut self, stream: Id, time_ms: u64) {
        let known = self.streams.entry(stream).or_default();
        known.time_ms = known.time_ms.max(time_ms);
        self.dirty.streams.insert(stream);
    }

    /// Runs of sequences count as settled.
    pub(super) fn pass(&mut self, stream: Id, runs: &[(u64, u64)]) {
        let settled = &mut self.streams.entry(stream).or_default().settled;
        for &(first, last) in runs {
            settled.insert_run(first, last);
        }
        if settled.runs().len() <= RUNS_MAX
            && matches!(self.full, Some(Place::Stream(full, _)) if full == stream)
        {
            self.full = None;
        }
        self.dirty.streams.insert(stream);
    }

    /// Offsets `first..=last` of a partition are done.
    pub(super) fn done(&mut self, partition: Id, first: u64, last: u64) {
        let done = self.partitions.entry(partition).or_default();
        done.insert_run(first, last);
        if done.runs().len() > RUNS_MAX {
            self.full = Some(Place::Foreign(partition, last));
        }
        self.dirty.partitions.insert(partition);
    }

    pub(super) fn set_pending(&mut self, place: Place, handlers: Vec<Id>) {
        if handlers.is_empty() {
            self.pending.remove(&place);
        } else {
            self.pending.insert(place, handlers);
        }
        self.dirty.pending.insert(place);
    }

    /// Puts back what a checkpoint wrote of a stream.
    pub(super) fn load_stream(&mut self, id: Id, stream: InStream) {
        self.streams.insert(id, stream);
    }

    /// Puts back what a checkpoint wrote of a partition.
    pub(super) fn load_partition(&mut self, id: Id, done: Ranges) {
        self.partitions.insert(id, done);
    }

    /// Puts back what a checkpoint wrote of a half-done position.
    pub(super) fn load_pending(&mut self, place: Place, handlers: Vec<Id>) {
        self.pending.insert(place, handlers);
    }

    pub(super) fn streams(&self) -> &BTreeMap<Id, InStream> {
        &self.streams
    }

    pub(super) fn partitions(&self) -> &BTreeMap<Id, Ranges> {
        &self.partitions
    }

    pub(super) fn all_pending(&self) -> &BTreeMap<Place, Vec<Id>> {
        &self.pending
    }
}
