//! Parked: messages of streams that have as many holes as one may have. They wait here, their
//! records unacknowledged; a partition that has many of them pauses, and the others go on.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::committed::RecordRef;
use crate::envelope::Envelope;
use crate::stream::{PartitionId, StreamId};

/// What of one partition waits here, at most, but for the rest of a fetch; then it is paused.
const RECORDS_MAX: usize = 1_024;
const BYTES_MAX: usize = 4 << 20;

/// The messages that wait.
#[derive(Debug, Default)]
pub(crate) struct Parked {
    streams: BTreeMap<Arc<StreamId>, BTreeMap<u64, Vec<Message>>>,
    partitions: BTreeMap<Arc<PartitionId>, Waiting>,
}

type Message = (Envelope, RecordRef);

/// How much of a partition waits.
#[derive(Debug, Default)]
struct Waiting {
    records: usize,
    bytes: usize,
}

impl Waiting {
    fn is_full(&self) -> bool {
        self.records >= RECORDS_MAX || self.bytes >= BYTES_MAX
    }
}

/// What a partition has to do from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Same,
    Pause,
    Resume,
}

impl Parked {
    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Whether an earlier message of the stream, or another copy, waits here.
    pub(super) fn is_before(&self, stream: &StreamId, sequence: u64) -> bool {
        self.lowest(stream).is_some_and(|lowest| lowest <= sequence)
    }

    /// The lowest sequence of a stream that waits.
    pub(super) fn lowest(&self, stream: &StreamId) -> Option<u64> {
        self.streams.get(stream)?.first_key_value().map(|(sequence, _)| *sequence)
    }

    /// The sequences of a stream that wait.
    pub(super) fn sequences(&self, stream: &StreamId) -> Vec<u64> {
        self.streams.get(stream).into_iter().flat_map(|waits| waits.keys().copied()).collect()
    }

    /// The streams of which something waits, with how much.
    pub(super) fn streams(&self) -> impl Iterator<Item = (&Arc<StreamId>, usize)> {
        self.streams.iter().map(|(id, waits)| (id, waits.values().map(Vec::len).sum()))
    }

    /// Puts a message here.
    pub(super) fn put(&mut self, stream: &Arc<StreamId>, sequence: u64, message: Message) -> Flow {
        let (partition, bytes) = (Arc::clone(&message.1.partition), message.1.bytes);
        let of_stream = self.streams.entry(Arc::clone(stream)).or_default();
        of_stream.entry(sequence).or_default().push(message);
        let waiting = self.partitions.entry(partition).or_default();
        let was_full = waiting.is_full();
        waiting.records += 1;
        waiting.bytes += bytes;
        if waiting.is_full() && !was_full { Flow::Pause } else { Flow::Same }
    }

    /// Takes the messages of a stream's lowest sequence.
    pub(super) fn take(&mut self, stream: &StreamId) -> Vec<(Message, Flow)> {
        let Some(of_stream) = self.streams.get_mut(stream) else { return Vec::new() };
        let taken = of_stream.pop_first().map(|(_, messages)| messages).unwrap_or_default();
        if of_stream.is_empty() {
            self.streams.remove(stream);
        }
        taken.into_iter().map(|message| self.taken(message)).collect()
    }

    fn taken(&mut self, message: Message) -> (Message, Flow) {
        let record = &message.1;
        let Some(waiting) = self.partitions.get_mut(&record.partition) else {
            return (message, Flow::Same);
        };
        let was_full = waiting.is_full();
        waiting.records = waiting.records.saturating_sub(1);
        waiting.bytes = waiting.bytes.saturating_sub(record.bytes);
        let flow = if was_full && !waiting.is_full() { Flow::Resume } else { Flow::Same };
        if waiting.records == 0 {
            self.partitions.remove(&record.partition);
        }
        (message, flow)
    }
}
