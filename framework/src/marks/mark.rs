//! One mark: a handler and the message that it handles.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::stream::{PartitionId, Position, StreamId};

/// Which handler ran for which message: a hash of the stream, or the foreign partition, the place
/// in it, and a hash of the handler's name. As it is written, and made without an allocation.
pub(super) type Mark = [u8; 24];

/// The mark of a handler and a message.
pub(super) fn mark(position: &Position, handler: &str) -> Mark {
    let (from, number) = match position {
        Position::Stream(stream, sequence) => (of_stream(stream), *sequence),
        Position::Foreign(partition, offset) => (of_partition(partition), *offset),
    };
    let words = [from, number, xxh3_64(handler.as_bytes())].map(u64::to_le_bytes);
    let mut mark = [0; 24];
    mark.copy_from_slice(words.as_flattened());
    mark
}

/// The hash of its stream or partition, and the place in it.
pub(super) fn place(mark: &Mark) -> (u64, u64) {
    let word = |at| mark.as_chunks().0.get(at).copied().map_or(0, u64::from_le_bytes);
    (word(0), word(1))
}

/// Streams and partitions that have the same numbers and names are still two.
const STREAM: u64 = 1;
const PARTITION: u64 = 2;

pub(super) fn of_stream(id: &StreamId) -> u64 {
    let StreamId { service, store, epoch, topic, slot } = id;
    let numbers = hash(STREAM, *store, u64::from(*epoch) << 8 | u64::from(slot.0));
    xxh3_64_with_seed(topic.as_bytes(), xxh3_64_with_seed(service.as_bytes(), numbers))
}

pub(super) fn of_partition(id: &PartitionId) -> u64 {
    let PartitionId { cluster, topic, incarnation, partition } = id;
    let numbers = hash(PARTITION, *incarnation, (*partition).into());
    xxh3_64_with_seed(topic.as_bytes(), xxh3_64_with_seed(cluster.as_bytes(), numbers))
}

fn hash(seed: u64, high: u64, low: u64) -> u64 {
    let both = u128::from(high) << 64 | u128::from(low);
    xxh3_64_with_seed(&both.to_le_bytes(), seed)
}
