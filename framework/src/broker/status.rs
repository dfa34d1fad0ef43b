//! How a broker is doing: its topics, who reads them and how far behind, and what its disk holds.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How a broker is doing, at one moment.
///
/// ```no_run
/// # fn watch(running: &framework::Running) {
/// let Some(broker) = running.broker_status() else { return };
/// for consumer in broker.consumers.iter().filter(|consumer| !consumer.is_here) {
///     println!("{} does not run: {} records wait", consumer.consumer, consumer.behind);
/// }
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BrokerStatus {
    /// When this was looked up, milliseconds since 1970.
    pub at_ms: u64,
    /// What its disk holds.
    pub disk: DiskStatus,
    /// Its topics, in the order in which they were made.
    pub topics: Vec<TopicStatus>,
    /// Its registered consumers, by name.
    pub consumers: Vec<ConsumerStatus>,
}

impl BrokerStatus {
    /// From 80 % of the disk limit on, who holds half of what is there or more, in words.
    pub(crate) fn waits_for(&self) -> Vec<String> {
        let DiskStatus { bytes, bytes_max, .. } = self.disk;
        if bytes_max.is_none_or(|most| bytes < most / 5 * 4) {
            return Vec::new();
        }
        let holds = self.consumers.iter().filter(|of| of.behind > 0 && of.holds_bytes >= bytes / 2);
        let named = holds.map(|of| {
            let runs = if of.is_here { "" } else { ", does not run" };
            format!("{:?} ({} records behind{runs})", of.consumer, of.behind)
        });
        named.collect()
    }

    /// Whether messages from outside wait for room.
    pub(crate) fn is_full(&self) -> bool {
        self.disk.bytes_max.is_some_and(|most| self.disk.bytes > most)
            && !self.waits_for().is_empty()
    }
}

/// What a broker's disk holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DiskStatus {
    /// Bytes of live segments. Files that are kept for reuse come on top.
    pub bytes: u64,
    /// Bytes from which messages from outside wait; `None` where that is not known.
    pub bytes_max: Option<u64>,
    /// The consumer that holds most of it, if one holds anything.
    pub held_by: Option<Arc<str>>,
    /// Bytes that cannot go before that consumer has settled what it is behind by.
    pub held_bytes: u64,
}

/// A topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TopicStatus {
    /// Its name.
    pub topic: Arc<str>,
    /// Into how many partitions it is divided.
    pub partitions: u32,
    /// Records that are there.
    pub records: u64,
    /// Their bytes on disk.
    pub bytes: u64,
    /// When the oldest of them was published, milliseconds since 1970; `None` if there is none.
    pub oldest_ms: Option<u64>,
    /// Who reads it, by name.
    pub readers: Vec<ReaderStatus>,
    /// Bytes of its newest records that are kept as long as nobody reads it; at the disk limit
    /// nothing is. `None` if somebody reads it, or where that is not known.
    pub kept_unread_bytes: Option<u64>,
    /// Records that went although nobody was registered for the topic, the oldest first, since it
    /// was made. 0 if somebody reads it, for then what went was settled.
    #[serde(default)]
    pub dropped: u64,
}

/// A consumer of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReaderStatus {
    /// Its name: the service's.
    pub consumer: Arc<str>,
    /// Records of the topic that it has not settled.
    pub behind: u64,
    /// When the oldest of these was published, milliseconds since 1970.
    pub waits_since_ms: Option<u64>,
}

/// A registered consumer, over all of its topics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConsumerStatus {
    /// Its name: the service's.
    pub consumer: Arc<str>,
    /// Whether it has subscribed since the broker was opened; if not, what it has not settled is
    /// kept for it all the same.
    pub is_here: bool,
    /// Records that it has not settled.
    pub behind: u64,
    /// Bytes on disk that cannot go before it has settled these.
    pub holds_bytes: u64,
    /// When the oldest of these was published, milliseconds since 1970.
    pub waits_since_ms: Option<u64>,
}
