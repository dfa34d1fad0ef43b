//! What can be set for the embedded broker, and the limit behind each number.

use super::error::EmbeddedError;
use crate::random;

const MIB: u64 = 1024 * 1024;

/// What can be set for an [`EmbeddedBroker`](super::EmbeddedBroker).
///
/// ```
/// use framework::broker::embedded::EmbeddedOptions;
/// let options = EmbeddedOptions { partitions: 8, ..EmbeddedOptions::default() };
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// Partitions of a topic made from now on, 1 to 256 (default 4). A topic that exists keeps
    /// what it has.
    pub partitions: u32,
    /// Size of a segment file in bytes, at least 16 KiB (default 64 MiB). What is settled leaves
    /// the disk in steps of this size.
    pub segment_bytes: u64,
    /// Bytes of live segments from which [`room`](crate::broker::Broker::room) waits, at least
    /// two segments (default 8 GiB). Files that are kept for reuse come on top.
    pub disk_bytes_max: u64,
    /// Bytes beyond that limit for what handlers send (default 1 GiB). When they are used up too,
    /// publishing fails with [`BrokerError::Full`](crate::broker::BrokerError::Full).
    pub reserve_bytes: u64,
    /// A topic that no consumer is registered for keeps at least its newest records of that many
    /// bytes (default 256 MiB); at the disk limit it keeps nothing.
    pub unregistered_bytes_max: u64,
    /// Bytes of the newest records kept in memory (default 32 MiB). A consumer further behind
    /// reads from the disk. Records that were fetched and not dropped come on top.
    pub cache_bytes_max: u64,
    /// Bytes that one sync takes at most, unless a single batch is larger (default 16 MiB).
    pub group_bytes_max: u64,
    /// Where all random numbers come from: the store's id, the incarnations of topics, the number
    /// of each opening. The default is random; a fixed one makes a test's run repeatable.
    pub seed: u64,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        EmbeddedOptions {
            partitions: 4,
            segment_bytes: 64 * MIB,
            disk_bytes_max: 8 * 1024 * MIB,
            reserve_bytes: 1024 * MIB,
            unregistered_bytes_max: 256 * MIB,
            cache_bytes_max: 32 * MIB,
            group_bytes_max: 16 * MIB,
            seed: random::seed(),
        }
    }
}

impl EmbeddedOptions {
    /// Refuses what could not work.
    pub(super) fn check(&self) -> Result<(), EmbeddedError> {
        let refuse = |option, demand| Err(EmbeddedError::Option { option, demand });
        if self.partitions == 0 || self.partitions > 256 {
            return refuse("partitions", "must be 1 to 256, the number of slots");
        }
        if self.segment_bytes < 16 * 1024 {
            return refuse("segment_bytes", "must be at least 16 KiB");
        }
        if self.disk_bytes_max / 2 < self.segment_bytes {
            return refuse("disk_bytes_max", "must be at least two segments");
        }
        Ok(())
    }

    /// The random number for one purpose.
    pub(super) fn random(&self, purpose: &str) -> u64 {
        random::of(self.seed, purpose)
    }
}
