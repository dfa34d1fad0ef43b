//! Telling of records that are dropped from a topic that nobody reads: the oldest go, so that the
//! newest have room.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::metrics::Counter;

use crate::metrics;
use crate::stream::PartitionId;

/// Topics whose counter is remembered; those beyond get a new handle each time.
const TOPICS_MAX: usize = 1_024;

/// Records that went, `first` to `next - 1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) partition: Arc<PartitionId>,
    pub(super) first: u64,
    pub(super) next: u64,
}

/// Reports them: a line a partition and released segment, and a counter a topic.
#[derive(Debug, Default)]
pub(super) struct Drops {
    counters: BTreeMap<Arc<str>, Counter>,
}

impl Drops {
    pub(super) fn report(&mut self, dropped: Vec<Dropped>) {
        for Dropped { partition, first, next } in dropped {
            let topic = &partition.topic;
            tracing::warn!(
                target: "endwise::broker", topic = &**topic, partition = partition.partition, first,
                last = next.saturating_sub(1), records = next.saturating_sub(first),
                "oldest records dropped: no consumer is registered for the topic",
            );
            if !self.counters.contains_key(topic) && self.counters.len() < TOPICS_MAX {
                self.counters.insert(Arc::clone(topic), metrics::dropped(topic));
            }
            let counter = self.counters.get(topic).cloned();
            let counter = counter.unwrap_or_else(|| metrics::dropped(topic));
            counter.increment(next.saturating_sub(first));
        }
    }
}
