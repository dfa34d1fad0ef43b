//! What is sent and not yet confirmed, stream by stream, and what each stream remembers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::OutboxRow;
use super::change::Id;
use crate::stream::{Slot, StreamId};

mod recent;

use recent::Recent;

/// How long a confirmed message still holds the floor back: the time within which a broker may
/// reorder. Without declared receivers nothing else says that a receiver has seen it.
const REORDER_MS: u64 = 600_000;

/// How many samples of a stream's confirmations are kept within that time.
const SAMPLES: u64 = 8;

impl OutboxRow {
    /// Bytes of its headers and body.
    pub(crate) fn bytes(&self) -> usize {
        self.body.len() + self.headers.as_bytes().len()
    }
}

/// All outgoing streams, by topic and slot.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    streams: BTreeMap<(Id, u8), OutStream>,
    /// The slot for the next message without a key, topic by topic.
    turns: BTreeMap<Id, u8>,
    /// How many rows are open.
    open: u64,
    pub(super) dirty: Dirty,
}

/// What a checkpoint has to write.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    pub(super) streams: BTreeSet<(Id, u8)>,
    /// Rows of the last checkpoint that are gone.
    pub(super) removed: Vec<(Id, u8, u64)>,
}

/// One outgoing stream.
#[derive(Debug)]
pub(super) struct OutStream {
    pub(super) id: Arc<StreamId>,
    /// The sequence that the next message gets.
    pub(super) next: u64,
    /// The broker has all through this sequence.
    pub(super) confirmed: u64,
    pub(super) floor: u64,
    /// Open rows: those from `confirmed + 1` on, in order.
    pub(super) open: VecDeque<Open>,
    /// When the stream was confirmed through what, oldest first; at most `SAMPLES` and one.
    samples: VecDeque<(u64, u64)>,
    recent: Recent,
}

/// An open row, and whether the last checkpoint holds it.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) row: Arc<OutboxRow>,
    pub(super) in_base: bool,
}

/// What a checkpoint keeps of a stream beside its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct OutStreamRow {
    pub(super) next: u64,
    pub(super) confirmed: u64,
    pub(super) floor: u64,
}

impl OutStream {
    fn new(id: Arc<StreamId>) -> Self {
        OutStream {
            id,
            next: 1,
            confirmed: 0,
            floor: 1,
            open: VecDeque::new(),
            samples: VecDeque::new(),
            recent: Recent::default(),
        }
    }

    /// The key's previous sequence, and the horizon where that may be forgotten; from here on the
    /// key's last sequence is `next`.
    pub(super) fn remember(&mut self, key: &Arc<str>) -> (Option<u64>, u64) {
        self.recent.remember(key, self.next, self.confirmed)
    }

    /// Takes in that the broker has all through `through`; the new floor, if it rises.
    /// The time is the steady clock's: a machine whose clock is set has confirmed nothing earlier.
    pub(super) fn confirmed_at(&mut self, through: u64, steady_ms: u64) -> Option<u64> {
        let last = self.samples.back().map(|&(at, _)| at);
        if last.is_none_or(|at| steady_ms.saturating_sub(at) >= REORDER_MS / SAMPLES) {
            self.samples.push_back((steady_ms, through));
        } else if let Some(newest) = self.samples.back_mut() {
            // The sample keeps its older time; the look below waits that much longer.
            newest.1 = through.max(newest.1);
        }
        let mut floor = None;
        while let Some(&(at, through)) = self.samples.front() {
            if at.saturating_add(REORDER_MS + REORDER_MS / SAMPLES) > steady_ms {
                break;
            }
            self.samples.pop_front();
            floor = Some(through + 1);
        }
        floor.filter(|&new| new > self.floor)
    }
}

impl Outbox {
    /// The stream of a topic and slot, made on first use.
    pub(super) fn stream(
        &mut self,
        topic: Id,
        slot: u8,
        id: impl FnOnce() -> StreamId,
    ) -> &mut OutStream {
        self.streams.entry((topic, slot)).or_insert_with(|| OutStream::new(Arc::new(id())))
    }

    /// The stream of a topic and slot that has been used.
    pub(super) fn existing(&mut self, topic: Id, slot: u8) -> Option<&mut OutStream> {
        self.streams.get_mut(&(topic, slot))
    }

    /// A slot for a message without a key.
    pub(super) fn turn(&mut self, topic: Id) -> Slot {
        let turn = self.turns.entry(topic).or_default();
        let slot = Slot(*turn);
        *turn = turn.wrapping_add(1);
        slot
    }

    /// Adds a row that has its sequence. Replay over a newer checkpoint meets rows that are there
    /// already, or confirmed already; they change nothing.
    pub(super) fn add(&mut self, topic: Id, row: Arc<OutboxRow>) {
        let slot = row.stream.slot.0;
        let stream = self
            .streams
            .entry((topic, slot))
            .or_insert_with(|| OutStream::new(Arc::clone(&row.stream)));
        stream.next = stream.next.max(row.sequence + 1);
        self.dirty.streams.insert((topic, slot));
        if row.sequence <= stream.confirmed {
            return;
        }
        let place = stream.open.partition_point(|open| open.row.sequence < row.sequence);
        if stream.open.get(place).is_none_or(|open| open.row.sequence != row.sequence) {
            stream.open.insert(place, Open { row, in_base: false });
            self.open += 1;
        }
    }

    /// Ends the duty for all rows of a stream through a sequence.
    pub(super) fn confirm(&mut self, topic: Id, slot: u8, through: u64) {
        let Some(stream) = self.streams.get_mut(&(topic, slot)) else { return };
        stream.confirmed = stream.confirmed.max(through);
        while let Some(open) = stream.open.front()
            && open.row.sequence <= through
        {
            if open.in_base {
                self.dirty.removed.push((topic, slot, open.row.sequence));
            }
            stream.open.pop_front();
            self.open -= 1;
        }
        self.dirty.streams.insert((topic, slot));
    }

    pub(super) fn set_floor(&mut self, topic: Id, slot: u8, floor: u64) {
        if let Some(stream) = self.streams.get_mut(&(topic, slot)) {
            stream.floor = stream.floor.max(floor);
            self.dirty.streams.insert((topic, slot));
        }
    }

    /// Puts back what a checkpoint wrote of a stream; its rows follow.
    pub(super) fn load_stream(&mut self, topic: Id, id: StreamId, row: OutStreamRow) {
        let mut stream = OutStream::new(Arc::new(id));
        stream.next = row.next;
        stream.confirmed = row.confirmed;
        stream.floor = row.floor;
        self.streams.insert((topic, stream.id.slot.0), stream);
    }

    /// Puts back a row that a checkpoint wrote, after its stream's.
    pub(super) fn load_row(&mut self, topic: Id, row: Arc<OutboxRow>) {
        if let Some(stream) = self.streams.get_mut(&(topic, row.stream.slot.0)) {
            let in_base = true;
            stream.next = stream.next.max(row.sequence + 1);
            if row.sequence > stream.confirmed {
                stream.open.push_back(Open { row, in_base });
                self.open += 1;
            } else {
                self.dirty.removed.push((topic, row.stream.slot.0, row.sequence));
            }
        }
    }

    /// After loading and replay: what is open is remembered exactly, what lies before is forgotten.
    pub(super) fn recall(&mut self) {
        for stream in self.streams.values_mut() {
            let open = stream
                .open
                .iter()
                .filter_map(|open| Some((open.row.key.clone()?, open.row.sequence)));
            stream.recent = Recent::recall(stream.confirmed, open);
        }
    }

    /// How many rows are open.
    pub(super) fn len(&self) -> u64 {
        self.open
    }

    pub(super) fn streams(&self) -> impl Iterator<Item = (&(Id, u8), &OutStream)> {
        self.streams.iter()
    }

    /// The rows that no checkpoint has written yet; from here on they count as written.
    pub(super) fn unwritten(&mut self) -> Vec<Arc<OutboxRow>> {
        let open = self.streams.values_mut().flat_map(|stream| &mut stream.open);
        let new = open.filter(|open| !open.in_base);
        new.map(|open| {
            open.in_base = true;
            Arc::clone(&open.row)
        })
        .collect()
    }

    /// What a checkpoint keeps of a stream.
    pub(super) fn stream_row(&self, topic: Id, slot: u8) -> Option<OutStreamRow> {
        let OutStream { next, confirmed, floor, .. } = *self.streams.get(&(topic, slot))?;
        Some(OutStreamRow { next, confirmed, floor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> OutStream {
        OutStream::new(Arc::new(StreamId {
            service: "s".into(),
            store: 1,
            epoch: 0,
            topic: "t".into(),
            slot: Slot(0),
        }))
    }

    #[test]
    fn the_floor_never_passes_what_was_confirmed_within_the_reorder_time() {
        let mut stream = stream();
        let mut confirmations = Vec::new();
        for step in 0..200u64 {
            let now = step * 13_000;
            confirmations.push((now, step + 1));
            if let Some(floor) = stream.confirmed_at(step + 1, now) {
                stream.floor = floor;
            }
            let old = confirmations.iter().filter(|(at, _)| at + REORDER_MS <= now);
            let allowed = old.map(|&(_, through)| through + 1).max().unwrap_or(1);
            assert!(stream.floor <= allowed, "floor {} at {now}, allowed {allowed}", stream.floor);
        }
        assert!(stream.floor > 100, "the floor follows: {}", stream.floor);
    }
}
