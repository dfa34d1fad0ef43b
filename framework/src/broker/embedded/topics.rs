//! The topics, and per partition which frames hold its records.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::drops::Dropped;
use super::frame::{Road, Run};
use super::options::EmbeddedOptions;
use crate::stream::PartitionId;

/// The name that the partitions of an embedded broker carry as their cluster's.
pub(super) const CLUSTER: &str = "embedded";

/// All topics, by number.
#[derive(Debug, Default)]
pub(super) struct Topics {
    topics: Vec<Topic>,
    by_name: BTreeMap<Arc<str>, u32>,
}

#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: Arc<str>,
    pub(super) incarnation: u64,
    pub(super) partitions: Vec<Partition>,
}

/// One partition and its index: 16 bytes for every frame that holds records of it.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) id: Arc<PartitionId>,
    /// First offset and journal sequence of each frame. Offsets are dense, so a run ends where the
    /// next one begins.
    runs: VecDeque<(u64, u64)>,
    /// The offset behind the last durable record.
    pub(super) end: u64,
}

impl Partition {
    /// The first offset that is still there; the end if none is.
    pub(super) fn first(&self) -> u64 {
        self.runs.front().map_or(self.end, |&(first, _)| first)
    }

    /// The sequence of the frame that holds `offset`, or, if that is gone, of the first frame.
    pub(super) fn frame_of(&self, offset: u64) -> Option<u64> {
        if offset >= self.end {
            return None;
        }
        let after = self.runs.partition_point(|&(first, _)| first <= offset);
        self.runs.get(after.saturating_sub(1)).map(|&(_, frame)| frame)
    }

    /// Forgets what lies in frames before sequence `below`.
    pub(super) fn forget_before(&mut self, below: u64) {
        while self.runs.front().is_some_and(|&(_, frame)| frame < below) {
            self.runs.pop_front();
        }
    }
}

impl Topics {
    /// The number of a topic.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// The number of a topic, made anew if it does not exist, and whether it was.
    pub(super) fn make(&mut self, name: &Arc<str>, options: &EmbeddedOptions) -> (u32, bool) {
        if let Some(number) = self.number(name) {
            return (number, false);
        }
        let ends = vec![0; options.partitions as usize];
        (self.add(name, options.random(name), &ends), true)
    }

    /// Adds a topic whose partitions end there.
    pub(super) fn add(&mut self, name: &Arc<str>, incarnation: u64, ends: &[u64]) -> u32 {
        let partition = |(number, &end): (u32, &u64)| {
            let (cluster, topic) = (CLUSTER.into(), Arc::clone(name));
            let id = PartitionId { cluster, topic, incarnation, partition: number };
            Partition { id: Arc::new(id), runs: VecDeque::new(), end }
        };
        let partitions = (0..).zip(ends).map(partition).collect();
        let number = self.topics.len() as u32;
        self.topics.push(Topic { name: Arc::clone(name), incarnation, partitions });
        self.by_name.insert(Arc::clone(name), number);
        number
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Topic)> {
        (0..).zip(&self.topics)
    }

    pub(super) fn get(&self, number: u32) -> Option<&Topic> {
        self.topics.get(number as usize)
    }

    pub(super) fn partition(&self, road: Road) -> Option<&Partition> {
        self.get(road.topic)?.partitions.get(road.partition as usize)
    }

    /// Whether a run is of a known partition and goes on where the last one ended.
    pub(super) fn continues(&self, run: &Run) -> bool {
        let ends = |partition: &Partition| partition.runs.is_empty() || partition.end == run.first;
        self.partition(run.road).is_some_and(ends)
    }

    /// Makes a durable run known.
    pub(super) fn append(&mut self, run: &Run, frame: u64) {
        let topic = self.topics.get_mut(run.road.topic as usize);
        let partition = topic.and_then(|t| t.partitions.get_mut(run.road.partition as usize));
        if let Some(partition) = partition {
            partition.runs.push_back((run.first, frame));
            partition.end = run.end();
        }
    }

    /// Forgets what lies in frames before sequence `below`; what that is, of the topics for which
    /// `is_unread` says so.
    pub(super) fn forget_before(
        &mut self,
        below: u64,
        is_unread: impl Fn(u32) -> bool,
    ) -> Vec<Dropped> {
        let mut dropped = Vec::new();
        for (number, topic) in (0..).zip(&mut self.topics) {
            let is_unread = is_unread(number);
            for partition in &mut topic.partitions {
                let first = partition.first();
                partition.forget_before(below);
                let next = partition.first();
                if is_unread && next > first {
                    dropped.push(Dropped { partition: Arc::clone(&partition.id), first, next });
                }
            }
        }
        dropped
    }
}
