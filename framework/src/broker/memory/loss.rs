//! What a broker in memory can lose, for tests.

use super::{MemoryBroker, Partition};
use crate::stream::PartitionId;

impl MemoryBroker {
    /// Loses the oldest records of each partition of a topic, as a broker's retention does that
    /// asks nobody who has not read them.
    pub fn lose(&self, topic: &str, count: u64) {
        let mut topics = self.lock();
        for partition in topics.topics.get_mut(topic).into_iter().flatten() {
            let count = count.min(partition.records.len() as u64);
            partition.records.drain(..usize::try_from(count).unwrap_or(usize::MAX));
            partition.first += count;
        }
        drop(topics);
        self.announce();
    }

    /// Makes a topic anew, as if it had been deleted and created again: what was in it is gone.
    pub fn make_anew(&self, topic: &str) {
        let mut topics = self.lock();
        for partition in topics.topics.get_mut(topic).into_iter().flatten() {
            let PartitionId { topic, incarnation, partition: number, .. } = &*partition.id;
            *partition = Partition::new(topic, incarnation + 1, *number);
        }
        drop(topics);
        self.announce();
    }
}
