//! What the framework asks of a broker: records with a place, settling, and ordered publishing.
//!
//! A broker carries bytes. That something was *handled* is decided and remembered elsewhere: where
//! to read on is the store's knowledge, and settling only tells the broker what it may forget.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::committed::Committed;
use crate::envelope::Headers;
use crate::stream::{Key, PartitionId, Slot};

pub mod embedded;
pub mod memory;
pub mod status;

use status::BrokerStatus;

/// A message as the broker hands it over, not yet decoded.
#[derive(Clone, Debug)]
pub struct Record {
    /// The partition that it came from.
    pub partition: Arc<PartitionId>,
    /// Its place in the partition; the first is 0.
    pub offset: u64,
    /// What the broker calls this handing-over; given back when it is settled.
    pub token: u64,
    /// The record's own key, if it has one.
    pub key: Option<Key>,
    /// Its headers.
    pub headers: Headers,
    /// Its body.
    pub body: Bytes,
}

/// A message on its way to the broker.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The topic; made on first use.
    pub topic: Arc<str>,
    /// The slot, which names the partition: `slot % partitions`.
    pub slot: Slot,
    /// The record's key.
    pub key: Option<Key>,
    /// Its headers.
    pub headers: Headers,
    /// Its body.
    pub body: Bytes,
}

/// Who reads what, and from where.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The consumer's lasting name: the service. What a registered consumer has not settled is
    /// kept for it.
    pub consumer: Arc<str>,
    /// The topics; one that does not exist is made.
    pub topics: Vec<Arc<str>>,
    /// The offset to read on from, for each partition that the store knows; others start at the
    /// first record that the broker has.
    pub cursors: Vec<(PartitionId, u64)>,
}

/// Where a registered consumer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name: the service's.
    pub consumer: Arc<str>,
    /// Whether it reads now.
    pub is_here: bool,
    /// Records that it has not settled.
    pub behind: u64,
}

/// What a partition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The partition.
    pub partition: PartitionId,
    /// The first offset that is there.
    pub first: u64,
    /// The offset behind the last.
    pub end: u64,
}

/// Records that a partition should have had and has no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The partition.
    pub partition: PartitionId,
    /// The first offset lost.
    pub first: u64,
    /// The first offset that is there again.
    pub next: u64,
}

/// A broker.
///
/// An implementer guarantees: the offsets of a partition rise in the order of publishing; a record
/// is handed over only once it is durable; and what a registered consumer has not settled is kept.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Registers a consumer and starts reading. A second subscription of the same name takes
    /// over from the first.
    async fn subscribe(&self, subscription: Subscription)
    -> Result<Box<dyn Consumer>, BrokerError>;

    /// A way to publish. Several publishers may publish at a time.
    async fn publisher(&self) -> Result<Box<dyn Publisher>, BrokerError>;

    /// Returns when the broker has room for messages from outside. What handlers send does not
    /// ask: it draws on a reserve, or a full broker could never be emptied.
    async fn room(&self) -> Result<(), BrokerError>;

    /// What each partition of a topic holds, if that is known at once; none for a topic that does
    /// not exist.
    fn spans(&self, topic: &str) -> Option<Vec<Span>> {
        let _ = topic;
        None
    }

    /// How many records a registered consumer has not settled, if that is known at once.
    fn lag(&self, consumer: &str) -> Option<u64> {
        let _ = consumer;
        None
    }

    /// The registered consumers: their names, whether each reads here now, and how many records it
    /// has not settled. Empty where that is not known at once.
    fn consumers(&self) -> Vec<Standing> {
        Vec::new()
    }

    /// Forgets a registered consumer that does not read now: what it has not settled is kept for it
    /// no more. How many records that were.
    async fn forget_consumer(&self, consumer: &str) -> Result<u64, BrokerError> {
        Err(BrokerError::UnknownConsumer(consumer.into()))
    }

    /// How the broker is doing, if that is known at once.
    fn status(&self) -> Option<BrokerStatus> {
        None
    }
}

/// The reading side of a subscription.
#[async_trait]
pub trait Consumer: Send {
    /// Waits for records and returns them: at least one, unless there is a [loss](Self::lost) to
    /// tell, at most `records_max`, and no more than `bytes_max` bytes of them unless the first
    /// alone is larger. Each partition's come in order.
    ///
    /// Cancellation safe: a call that is dropped has taken nothing.
    async fn fetch(
        &mut self,
        records_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Record>, BrokerError>;

    /// Lets the broker forget these records.
    async fn settle(&mut self, committed: &[Committed]) -> Result<(), BrokerError>;

    /// From which offset each partition is read by this subscription. What lies below is not
    /// there any more, or below the cursor.
    fn starts(&self) -> Vec<(Arc<PartitionId>, u64)>;

    /// What the broker could not provide of what the subscription asked for, at its start and
    /// since: taken, so that each loss is told once. One that a fetch has met is told here before
    /// the records behind it are handed over, or with them; where none are, the fetch returns
    /// without any.
    fn lost(&mut self) -> Vec<Lost>;

    /// Hands over no more of a partition until it is resumed; the others go on.
    fn pause(&mut self, partition: &PartitionId);

    /// Goes on with a partition where it was paused.
    fn resume(&mut self, partition: &PartitionId);
}

/// The writing side.
#[async_trait]
pub trait Publisher: Send {
    /// Publishes in order and returns when all of it is durable at the broker. After an error
    /// any part may have gone out: the caller publishes the same again, and receivers drop the
    /// doubles.
    async fn publish(&mut self, batch: Vec<Publication>) -> Result<(), BrokerError>;
}

/// What a broker can fail with.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// It is stopped, or was taken over by a second subscription of the same name.
    #[error("the broker is closed: {0}")]
    Closed(Arc<str>),
    /// There is no registered consumer of that name.
    #[error(
        "the broker knows no consumer {0:?}: `endwise consumers list DIR` names those it knows"
    )]
    UnknownConsumer(Arc<str>),
    /// A consumer that reads now cannot be forgotten.
    #[error("consumer {0:?} runs: stop that service before the broker is to forget it")]
    ConsumerRuns(Arc<str>),
    /// Reading or writing failed; the broker must be opened again.
    #[error("the broker failed: {0}")]
    Failed(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The disk has no room. Nothing was published; once there is room, the same can be published
    /// again.
    #[error("the broker's disk has no room: {0}; make some")]
    NoRoom(Arc<str>),
    /// The disk limit and the reserve behind it are used up. Nothing was published; once something
    /// is settled, the same can be published again.
    #[error(
        "the broker's disk limit of {limit_bytes} bytes and its reserve are used up; it waits for \
         consumer {consumer:?}: start that service, or raise the limit"
    )]
    Full {
        /// The limit, without the reserve.
        limit_bytes: u64,
        /// The consumer that is furthest behind.
        consumer: Arc<str>,
    },
}
