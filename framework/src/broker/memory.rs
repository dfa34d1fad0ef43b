//! A broker in memory, for tests: everything is there, nothing outlives the process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use super::{
    Broker, BrokerError, Consumer, Lost, Publication, Publisher, Span, Standing, Subscription,
};
use crate::clock::Clock;
use crate::stream::{PartitionId, Ranges};

mod consumer;
mod loss;

use consumer::MemoryConsumer;

/// A broker in memory. A clone is the same broker.
#[derive(Clone, Debug)]
pub struct MemoryBroker {
    topics: Arc<Mutex<Topics>>,
    /// Counts changes, so that a fetch can wait for one.
    changed: watch::Sender<u64>,
    /// The clock of the tests that run on it.
    clock: Arc<OnceLock<Clock>>,
}

#[derive(Debug)]
struct Topics {
    partitions_per_topic: u32,
    topics: BTreeMap<Arc<str>, Vec<Partition>>,
    consumers: BTreeMap<Arc<str>, Reading>,
    next_subscription: u64,
}

#[derive(Debug)]
struct Partition {
    id: Arc<PartitionId>,
    /// The offset of the first record that is there.
    first: u64,
    records: Vec<Publication>,
}

impl Partition {
    fn new(topic: &Arc<str>, incarnation: u64, partition: u32) -> Self {
        let (cluster, topic) = ("memory".into(), Arc::clone(topic));
        let id = PartitionId { cluster, topic, incarnation, partition };
        Partition { id: Arc::new(id), first: 0, records: Vec::new() }
    }
}

/// How far one consumer is.
#[derive(Debug, Default)]
struct Reading {
    subscription: u64,
    partitions: BTreeMap<Arc<PartitionId>, Ranges>,
}

impl Default for MemoryBroker {
    fn default() -> Self {
        MemoryBroker::new(4)
    }
}

impl MemoryBroker {
    /// A broker whose topics have that many partitions (at least 1).
    pub fn new(partitions_per_topic: u32) -> Self {
        let topics = Topics {
            partitions_per_topic: partitions_per_topic.max(1),
            topics: BTreeMap::new(),
            consumers: BTreeMap::new(),
            next_subscription: 1,
        };
        MemoryBroker {
            topics: Arc::new(Mutex::new(topics)),
            changed: watch::Sender::new(0),
            clock: Arc::default(),
        }
    }

    /// The clock of the tests that run on it: it began at `start_ms` when it was first asked for.
    pub(crate) fn clock(&self, start_ms: u64) -> Clock {
        self.clock.get_or_init(|| Clock::fixed(start_ms)).clone()
    }

    /// All that was published to a topic, partition by partition.
    pub fn published(&self, topic: &str) -> Vec<Publication> {
        let topics = self.lock();
        let partitions = topics.topics.get(topic).map_or(&[][..], |found| found);
        partitions.iter().flat_map(|partition| partition.records.iter().cloned()).collect()
    }

    /// Publishes a copy of a topic's record once more, as an unreliable network would.
    pub fn publish_again(&self, topic: &str, publication: Publication) {
        self.lock().append(Publication { topic: topic.into(), ..publication });
        self.announce();
    }

    /// Whether every registered consumer has settled all that is published to its topics.
    pub fn is_settled(&self) -> bool {
        let topics = self.lock();
        topics.consumers.values().all(|reading| topics.behind(reading) == 0)
    }

    /// How many records of a topic a consumer has not settled.
    pub fn unsettled(&self, consumer: &str, topic: &str) -> u64 {
        let topics = self.lock();
        let Some(reading) = topics.consumers.get(consumer) else { return 0 };
        let of_topic = reading.partitions.iter().filter(|(id, _)| &*id.topic == topic);
        of_topic.map(|(id, settled)| topics.unsettled(id, settled)).sum()
    }

    /// A receiver that wakes whenever something is published or settled.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Topics> {
        // A panic while the lock is held leaves plain data behind, nothing half-done.
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}

impl Topics {
    fn topic(&mut self, name: &Arc<str>) -> &mut Vec<Partition> {
        let count = self.partitions_per_topic;
        let made = || (0..count).map(|number| Partition::new(name, 1, number)).collect();
        self.topics.entry(Arc::clone(name)).or_insert_with(made)
    }

    fn append(&mut self, publication: Publication) {
        let name = Arc::clone(&publication.topic);
        let partitions = self.topic(&name);
        let number = publication.slot.partition(u32::try_from(partitions.len()).unwrap_or(1));
        if let Some(partition) = partitions.get_mut(number as usize) {
            partition.records.push(publication);
        }
    }

    fn partition(&self, id: &PartitionId) -> Option<&Partition> {
        let now = self.topics.get(&id.topic)?.get(id.partition as usize);
        now.filter(|partition| *partition.id == *id)
    }

    /// How many records of a partition are there and not settled.
    fn unsettled(&self, id: &PartitionId, settled: &Ranges) -> u64 {
        let Some(partition) = self.partition(id) else { return 0 };
        partition.records.len() as u64 - settled.count_from(partition.first)
    }

    /// How many records a consumer has not settled. A partition that was made anew counts as one
    /// until its consumer has found that out.
    fn behind(&self, reading: &Reading) -> u64 {
        let unsettled = |(id, settled): (&Arc<PartitionId>, &Ranges)| {
            self.unsettled(id, settled) + u64::from(self.partition(id).is_none())
        };
        reading.partitions.iter().map(unsettled).sum()
    }
}

#[async_trait]
impl Broker for MemoryBroker {
    async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<Box<dyn Consumer>, BrokerError> {
        let mut topics = self.lock();
        let number = topics.next_subscription;
        topics.next_subscription += 1;
        let mut reading = Reading { subscription: number, ..Reading::default() };
        let (mut positions, mut lost) = (VecDeque::new(), Vec::new());
        for name in &subscription.topics {
            for partition in topics.topic(name) {
                let cursor = subscription.cursors.iter().find(|(id, _)| *id == *partition.id);
                let from = match cursor {
                    Some(&(_, cursor)) if cursor < partition.first => {
                        let id = PartitionId::clone(&partition.id);
                        lost.push(Lost { partition: id, first: cursor, next: partition.first });
                        partition.first
                    }
                    Some(&(_, cursor)) => cursor,
                    None => partition.first,
                };
                let mut settled = Ranges::default();
                if from > 0 {
                    settled.insert_run(0, from - 1);
                }
                reading.partitions.insert(Arc::clone(&partition.id), settled);
                positions.push_back((Arc::clone(&partition.id), from));
            }
        }
        for (id, cursor) in &subscription.cursors {
            // Of one that was made anew nobody knows how much there was.
            if subscription.topics.contains(&id.topic) && topics.partition(id).is_none() {
                tracing::warn!(
                    target: "endwise::broker", consumer = &*subscription.consumer, partition = %id,
                    cursor, "this broker has no such partition",
                );
            }
        }
        topics.consumers.insert(Arc::clone(&subscription.consumer), reading);
        drop(topics);
        self.announce();
        let changed = self.changed.subscribe();
        let (broker, name) = (self.clone(), subscription.consumer);
        let starts = positions.iter().cloned().collect();
        let paused = BTreeSet::new();
        let consumer =
            MemoryConsumer { broker, name, number, positions, starts, changed, lost, paused };
        Ok(Box::new(consumer))
    }

    async fn publisher(&self) -> Result<Box<dyn Publisher>, BrokerError> {
        Ok(Box::new(self.clone()))
    }

    fn consumers(&self) -> Vec<Standing> {
        let topics = self.lock();
        let standing = |(name, reading): (&Arc<str>, &Reading)| Standing {
            consumer: Arc::clone(name),
            is_here: reading.subscription > 0,
            behind: topics.behind(reading),
        };
        topics.consumers.iter().map(standing).collect()
    }

    fn spans(&self, topic: &str) -> Option<Vec<Span>> {
        let topics = self.lock();
        let partitions = topics.topics.get(topic).map_or(&[][..], |found| found);
        let span = |found: &Partition| Span {
            partition: (*found.id).clone(),
            first: found.first,
            end: found.first + found.records.len() as u64,
        };
        Some(partitions.iter().map(span).collect())
    }

    fn lag(&self, consumer: &str) -> Option<u64> {
        let topics = self.lock();
        Some(topics.behind(topics.consumers.get(consumer)?))
    }

    async fn room(&self) -> Result<(), BrokerError> {
        Ok(())
    }
}

#[async_trait]
impl Publisher for MemoryBroker {
    async fn publish(&mut self, batch: Vec<Publication>) -> Result<(), BrokerError> {
        let mut topics = self.lock();
        for publication in batch {
            topics.append(publication);
        }
        drop(topics);
        self.announce();
        Ok(())
    }
}
