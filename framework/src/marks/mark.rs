//! One mark: a handler and the message that it handles.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::stream::{PartitionId, Position, StreamId};

/// Which handler ran for which message, in 24 bytes. Names are hashed, so that a mark is made
/// without an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    /// The hash of the stream, or of the foreign partition.
    pub(super) from: u64,
    /// The place in it.
    pub(super) number: u64,
    /// The hash of the handler's name.
    pub(super) handler: u64,
}

impl Mark {
    pub(super) fn of(position: &Position, handler: &str) -> Self {
        let (from, number) = match position {
            Position::Stream(stream, sequence) => (of_stream(stream), *sequence),
            Position::Foreign(partition, offset) => (of_partition(partition), *offset),
        };
        Mark { from, number, handler: xxh3_64(handler.as_bytes()) }
    }
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
