//! The reading side of the broker in memory.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{MemoryBroker, Topics};
use crate::broker::{BrokerError, Consumer, Lost, Publication, Record};
use crate::committed::Committed;
use crate::envelope::Headers;
use crate::stream::{PartitionId, Ranges};

pub(super) struct MemoryConsumer {
    pub(super) broker: MemoryBroker,
    pub(super) name: Arc<str>,
    pub(super) number: u64,
    /// The partitions, the one to be read next in front, each with its next offset.
    pub(super) positions: VecDeque<(Arc<PartitionId>, u64)>,
    pub(super) starts: Vec<(Arc<PartitionId>, u64)>,
    pub(super) changed: watch::Receiver<u64>,
    /// What was lost and is not told yet.
    pub(super) lost: Vec<Lost>,
    pub(super) paused: BTreeSet<PartitionId>,
}

impl Drop for MemoryConsumer {
    fn drop(&mut self) {
        if let Some(reading) = self.broker.lock().consumers.get_mut(&self.name)
            && reading.subscription == self.number
        {
            reading.subscription = 0;
        }
        self.broker.announce();
    }
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
