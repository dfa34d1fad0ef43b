//! Identity: slots, streams, positions, and the ranges of what has been settled.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

mod ranges;

pub use ranges::Ranges;

/// A message's key: what it is about. Messages of one key are handled in order.
pub type Key = Arc<str>;

/// The longest key, in bytes of UTF-8; a zero byte counts twice. It is stored with each of its states, and sent with each of
/// its messages.
pub const KEY_BYTES_MAX: usize = 400;

/// A key that is longer than [`KEY_BYTES_MAX`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key of {bytes} bytes (a zero byte counts twice) is longer than {KEY_BYTES_MAX}: it begins \
     with {start:?}; use a shorter name for what the message is about, or a hash of it"
)]
pub struct KeyTooLong {
    bytes: usize,
    start: String,
}

/// Refuses a key that is too long.
pub(crate) fn check_key(key: &str) -> Result<(), KeyTooLong> {
    // As a store writes them.
    let zeros = || key.bytes().filter(|byte| *byte == 0).count();
    if key.len() <= KEY_BYTES_MAX / 2 || key.len() + zeros() <= KEY_BYTES_MAX {
        return Ok(());
    }
    Err(KeyTooLong { bytes: key.len() + zeros(), start: key.chars().take(40).collect() })
}

/// The unit of identity and ownership: one of 256 parts of a topic.
///
/// A broker's partition is only a road: a slot travels on partition `slot % partitions`, so
/// a topic that gets more partitions keeps every identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slot(pub u8);

impl Slot {
    /// How many slots a topic has. Fixed in the format.
    pub const COUNT: usize = 256;

    /// The slot of a key: XXH3 of the key, modulo 256.
    ///
    /// ```
    /// use framework::stream::Slot;
    /// assert_eq!(Slot::of("waybill-1"), Slot::of("waybill-1"));
    /// ```
    pub fn of(key: &str) -> Self {
        // The low byte of the hash is the hash modulo 256.
        Slot(xxh3_64(key.as_bytes()) as u8)
    }

    /// The partition on which this slot travels, of `count` partitions.
    pub fn partition(self, count: u32) -> u32 {
        u32::from(self.0) % count.max(1)
    }
}

/// All that one sender's store sends to one slot of one topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StreamId {
    /// The sending service.
    pub service: Arc<str>,
    /// The sender's store: random, made with the store.
    pub store: u64,
    /// Raised when the store is restored from a backup.
    pub epoch: u32,
    /// The topic.
    pub topic: Arc<str>,
    /// The slot of the topic.
    pub slot: Slot,
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, store, epoch, topic, slot } = self;
        write!(f, "{service}/{store:016x}/{epoch}/{topic}/{}", slot.0)
    }
}

/// One partition of one incarnation of a topic: the broker's side of a message's way.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PartitionId {
    /// The cluster's name.
    pub cluster: Arc<str>,
    /// The topic.
    pub topic: Arc<str>,
    /// Which topic of that name: a topic made anew opens a new incarnation.
    pub incarnation: u64,
    /// The partition's number.
    pub partition: u32,
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, topic, incarnation, partition } = self;
        write!(f, "{cluster}/{topic}.{incarnation}/{partition}")
    }
}

/// A message's identity, for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Position {
    /// Sent by an Endwise service: the place in its stream. Sequences start at 1.
    Stream(Arc<StreamId>, u64),
    /// Sent by somebody else: the place that the broker gave it.
    Foreign(Arc<PartitionId>, u64),
}

impl Position {
    /// The topic that the message was sent to.
    pub fn topic(&self) -> &Arc<str> {
        match self {
            Position::Stream(stream, _) => &stream.topic,
            Position::Foreign(partition, _) => &partition.topic,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Position::Stream(stream, sequence) => write!(f, "{stream}#{sequence}"),
            Position::Foreign(partition, offset) => write!(f, "{partition}@{offset}"),
        }
    }
}
