//! A broker in memory, for tests: everything is there, nothing outlives the process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use super::{
    Broker, BrokerError, Consumer, Lost, Publication, Publisher, Record, Span, Subscription,
};
use crate::clock::Clock;
use crate::committed::Committed;
use crate::envelope::Headers;
use crate::stream::{PartitionId, Ranges};

mod loss;

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
        let settled = |reading: &Reading| {
            let mut read = reading.partitions.iter();
            read.all(|(id, settled)| topics.unsettled(id, settled) == 0)
        };
        // One that was made anew is settled once its consumer has found that out.
        let is_known =
            |reading: &Reading| reading.partitions.keys().all(|id| topics.partition(id).is_some());
        topics.consumers.values().all(|reading| settled(reading) && is_known(reading))
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

    fn spans(&self, topic: &str) -> Option<Vec<Span>> {
        let topics = self.lock();
        let partitions = topics.topics.get(topic).map_or(&[][..], |found| found);
        let span = |found: &Partition| Span {
            partition: (*found.id).clone(),
            first: 0,
            end: found.records.len() as u64,
        };
        Some(partitions.iter().map(span).collect())
    }

    fn lag(&self, consumer: &str) -> Option<u64> {
        let topics = self.lock();
        let unsettled = |(id, settled): (&Arc<PartitionId>, &Ranges)| topics.unsettled(id, settled);
        Some(topics.consumers.get(consumer)?.partitions.iter().map(unsettled).sum())
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

struct MemoryConsumer {
    broker: MemoryBroker,
    name: Arc<str>,
    number: u64,
    /// The partitions, the one to be read next in front, each with its next offset.
    positions: VecDeque<(Arc<PartitionId>, u64)>,
    starts: Vec<(Arc<PartitionId>, u64)>,
    changed: watch::Receiver<u64>,
    /// What was lost and is not told yet.
    lost: Vec<Lost>,
    paused: BTreeSet<PartitionId>,
}

impl MemoryConsumer {
    fn take(&mut self, records_max: usize, bytes_max: usize) -> Result<Vec<Record>, BrokerError> {
        let broker = self.broker.clone();
        let mut topics = broker.lock();
        if topics.consumers.get(&self.name).map(|r| r.subscription) != Some(self.number) {
            return Err(BrokerError::Closed("a second subscription of this name took over".into()));
        }
        self.find_lost(&mut topics);
        let (mut records, mut bytes) = (Vec::new(), 0);
        for (id, offset) in &mut self.positions {
            let partition = topics.partition(id).filter(|_| !self.paused.contains(&**id));
            let (first, all) =
                partition.map_or((0, &[][..]), |found| (found.first, &found.records));
            let read = usize::try_from(offset.saturating_sub(first)).unwrap_or(usize::MAX);
            for publication in all.iter().skip(read) {
                let size = publication.headers.as_bytes().len() + publication.body.len();
                if records.len() >= records_max || (bytes + size > bytes_max && bytes > 0) {
                    break;
                }
                bytes += size;
                records.push(record(id, *offset, publication));
                *offset += 1;
            }
        }
        // Another partition comes first next time, so that none is starved.
        self.positions.rotate_left(1.min(self.positions.len()));
        Ok(records)
    }
}

impl MemoryConsumer {
    /// Goes on behind what is gone: below the first record, or with the partition that was made in
    /// the place of another.
    fn find_lost(&mut self, topics: &mut Topics) {
        for (id, offset) in &mut self.positions {
            let now = topics.topics.get(&id.topic);
            let Some(now) = now.and_then(|topic| topic.get(id.partition as usize)) else {
                continue;
            };
            let (first, now) = (now.first, Arc::clone(&now.id));
            if now != *id {
                if let Some(reading) = topics.consumers.get_mut(&self.name) {
                    reading.partitions.remove(id);
                    reading.partitions.insert(Arc::clone(&now), Ranges::default());
                }
                tracing::error!(
                    target: "endwise::broker", consumer = &*self.name, was = %id, now = %now,
                    read = *offset, "a partition was made anew: what was not read of it is lost",
                );
                (*id, *offset) = (now, first);
            } else if *offset < first {
                self.lost.push(Lost { partition: (**id).clone(), first: *offset, next: first });
                *offset = first;
            }
        }
    }
}

fn record(id: &Arc<PartitionId>, offset: u64, publication: &Publication) -> Record {
    let Publication { key, headers, body, .. } = publication;
    Record {
        partition: Arc::clone(id),
        offset,
        token: offset,
        key: key.clone(),
        headers: Headers::clone(headers),
        body: body.clone(),
    }
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn fetch(
        &mut self,
        records_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Record>, BrokerError> {
        loop {
            self.changed.mark_unchanged();
            let records = self.take(records_max, bytes_max)?;
            if !records.is_empty() || !self.lost.is_empty() {
                return Ok(records);
            }
            let gone = |_| BrokerError::Closed("it was dropped".into());
            self.changed.changed().await.map_err(gone)?;
        }
    }

    async fn settle(&mut self, committed: &[Committed]) -> Result<(), BrokerError> {
        let mut topics = self.broker.lock();
        if let Some(reading) = topics.consumers.get_mut(&self.name) {
            for record in committed.iter().map(Committed::record) {
                if let Some(settled) = reading.partitions.get_mut(&record.partition) {
                    settled.insert(record.offset);
                }
            }
        }
        drop(topics);
        self.broker.announce();
        Ok(())
    }

    fn starts(&self) -> Vec<(Arc<PartitionId>, u64)> {
        self.starts.clone()
    }

    fn lost(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.lost)
    }

    fn pause(&mut self, partition: &PartitionId) {
        self.paused.insert(partition.clone());
    }

    fn resume(&mut self, partition: &PartitionId) {
        self.paused.remove(partition);
        self.broker.announce();
    }
}
