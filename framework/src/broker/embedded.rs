//! The embedded broker: topics in a directory, without a server.
//!
//! One [journal](crate::journal) for all partitions: a batch is one frame whatever its partitions,
//! and batches that arrive while the disk syncs share the next sync. Nothing waits on a timer: an
//! idle broker syncs a single message at once.
//!
//! ```
//! use framework::broker::{Broker, Publication, Subscription};
//! use framework::broker::embedded::{EmbeddedBroker, EmbeddedOptions};
//! use framework::stream::Slot;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let home = tempfile::tempdir()?;
//! let broker = EmbeddedBroker::open(home.path().join("broker"), EmbeddedOptions::default())?;
//! let publication = Publication {
//!     topic: "deposits".into(),
//!     slot: Slot::of("account-1"),
//!     key: Some("account-1".into()),
//!     headers: Default::default(),
//!     body: "50".into(),
//! };
//! broker.publisher().await?.publish(vec![publication]).await?; // durable now
//!
//! let (consumer, topics) = ("ledger".into(), vec!["deposits".into()]);
//! let subscription = Subscription { consumer, topics, cursors: Vec::new() };
//! let records = broker.subscribe(subscription).await?.fetch(100, 1 << 20).await?;
//! assert_eq!(records[0].body, "50");
//! broker.close().await?;
//! # Ok(()) }
//! ```
//!
//! Settling lets go of whole segments, the oldest first, once every registered consumer of what is
//! in them has settled it. It is not synced: what was settled is the store's knowledge, and a
//! consumer that comes back says with its cursors where it is. Until it does, all is kept that was
//! not settled when the broker last wrote a snapshot.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::status::BrokerStatus;
use super::{Broker, BrokerError, Consumer, Publisher, Span, Standing, Subscription};
use crate::clock::Clock;
use crate::directory::Patience;
use crate::journal::{Disk, RealDisk};
use crate::stream::PartitionId;

mod consumer;
mod drops;
mod error;
mod frame;
mod frames;
mod handle;
mod options;
mod pressure;
mod publisher;
mod recovery;
mod registrations;
mod segments;
mod shared;
mod snapshot;
mod status;
mod subscribe;
mod topics;
mod writer;

#[cfg(test)]
mod tests;

pub use error::EmbeddedError;
use handle::Handle;
pub use options::EmbeddedOptions;
use writer::Command;

/// A broker in a directory of this machine. A clone is the same broker.
///
/// One process has a directory open, and in it one broker. When the last clone, consumer and
/// publisher is dropped, the broker ends as if it were closed; the drop blocks for the last sync.
#[derive(Clone, Debug)]
pub struct EmbeddedBroker {
    handle: Arc<Handle>,
}

impl EmbeddedBroker {
    /// Opens the broker in `dir`, which is made if it does not exist. Blocks: all live segments are
    /// read and checked; somebody who has the directory open, and may be closing it, is waited for,
    /// up to ten seconds.
    ///
    /// Errors, with nothing changed on disk: the directory is
    /// [locked](crate::directory::DirectoryError::Locked), has another
    /// [format](crate::directory::DirectoryError::Format), or is damaged.
    pub fn open(dir: impl Into<PathBuf>, options: EmbeddedOptions) -> Result<Self, BrokerError> {
        Self::open_on(RealDisk, dir.into(), options)
    }

    /// Opens the broker on another disk; the lock and `FORMAT` are on the real one all the same.
    fn open_on<D: Disk>(
        disk: D,
        dir: PathBuf,
        options: EmbeddedOptions,
    ) -> Result<Self, BrokerError> {
        let writer = recovery::open(disk, dir, options, Patience::Some)?;
        Ok(EmbeddedBroker { handle: Arc::new(Handle::start(writer)?) })
    }

    /// Opens it only if nobody has it open at that moment.
    #[cfg(any(test, feature = "cli"))]
    pub(crate) fn open_at_once(
        dir: PathBuf,
        options: EmbeddedOptions,
    ) -> Result<Self, EmbeddedError> {
        let writer = recovery::open(RealDisk, dir, options, Patience::None)?;
        Ok(EmbeddedBroker { handle: Arc::new(Handle::start(writer)?) })
    }

    /// Whether a directory has an embedded broker's data, of whatever version.
    #[cfg(feature = "cli")]
    pub(crate) fn is_in(dir: &std::path::Path) -> std::io::Result<bool> {
        recovery::is_in(dir)
    }

    /// Writes what was handed in, says durably where the journal ends, and gives the directory
    /// free. Whoever still uses the broker gets [`BrokerError::Closed`].
    ///
    /// Errors: the first cause, if the broker failed before.
    pub async fn close(&self) -> Result<(), BrokerError> {
        self.handle.close().await
    }

    /// Whether every registered consumer has settled all there is for it.
    pub fn is_settled(&self) -> bool {
        let state = self.handle.shared.lock();
        state.registrations.furthest_behind(&state.topics).is_none()
    }

    /// Whether there is room for messages from outside.
    pub(crate) fn has_room(&self) -> bool {
        let shared = &self.handle.shared;
        shared.lock().has_room(&shared.options)
    }

    /// A receiver that wakes when something is published or settled.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.handle.shared.space.subscribe()
    }

    /// The offset behind the last record of each partition.
    pub(crate) fn ends(&self) -> Vec<(PartitionId, u64)> {
        let state = self.handle.shared.lock();
        let partitions = state.topics.iter().flat_map(|(_, topic)| &topic.partitions);
        partitions.map(|partition| ((*partition.id).clone(), partition.end)).collect()
    }

    /// Below which offset of each partition a consumer has settled all; `None` if it is not
    /// registered. As of the last snapshot, until the consumer subscribes.
    pub(crate) fn settled(&self, consumer: &str) -> Option<Vec<(PartitionId, u64)>> {
        let state = self.handle.shared.lock();
        let settled = state.registrations.settled(consumer, &state.topics)?.into_iter();
        let named = settled
            .filter_map(|(road, next)| Some(((*state.topics.partition(road)?.id).clone(), next)));
        Some(named.collect())
    }

    /// Keeps all that there is for a consumer, as if it had settled nothing: its store has gone
    /// back on purpose.
    pub(crate) fn unsettle(&self, consumer: &str) {
        self.handle.shared.lock().registrations.unsettle(consumer);
    }

    /// Bytes of the live segments: what [`EmbeddedOptions::disk_bytes_max`] limits.
    pub fn live_bytes(&self) -> u64 {
        self.handle.shared.lock().segments.live_bytes()
    }
}

#[async_trait]
impl Broker for EmbeddedBroker {
    async fn subscribe(
        &self,
        subscription: Subscription,
    ) -> Result<Box<dyn Consumer>, BrokerError> {
        let consumer = subscribe::subscribe(&self.handle, subscription).await?;
        Ok(Box::new(consumer))
    }

    async fn publisher(&self) -> Result<Box<dyn Publisher>, BrokerError> {
        Ok(Box::new(publisher::EmbeddedPublisher::new(Arc::clone(&self.handle))))
    }

    fn consumers(&self) -> Vec<Standing> {
        let state = self.handle.shared.lock();
        let registered = state.registrations.names();
        let standing = |name: &Arc<str>| Standing {
            consumer: Arc::clone(name),
            is_here: state.registrations.is_here(name).unwrap_or(false),
            behind: state.registrations.lag(name, &state.topics).unwrap_or(0),
        };
        registered.map(standing).collect()
    }

    async fn forget_consumer(&self, consumer: &str) -> Result<u64, BrokerError> {
        let behind = {
            let mut state = self.handle.shared.running()?;
            match state.registrations.is_here(consumer) {
                None => return Err(BrokerError::UnknownConsumer(consumer.into())),
                Some(true) => return Err(BrokerError::ConsumerRuns(consumer.into())),
                Some(false) => {}
            }
            let behind = state.registrations.lag(consumer, &state.topics).unwrap_or(0);
            state.registrations.forget(consumer);
            state.registry += 1;
            behind
        };
        tracing::warn!(
            target: "endwise::broker", consumer, behind,
            "consumer forgotten: what it has not settled is kept for it no more",
        );
        self.handle.ask(Command::Register).await?;
        self.handle.shared.announce();
        Ok(behind)
    }

    fn spans(&self, topic: &str) -> Option<Vec<Span>> {
        let state = self.handle.shared.lock();
        let found = state.topics.number(topic).and_then(|number| state.topics.get(number));
        let span = |found: &topics::Partition| Span {
            partition: (*found.id).clone(),
            first: found.first(),
            end: found.end,
        };
        Some(found.into_iter().flat_map(|topic| topic.partitions.iter().map(span)).collect())
    }

    fn lag(&self, consumer: &str) -> Option<u64> {
        let state = self.handle.shared.lock();
        state.registrations.lag(consumer, &state.topics)
    }

    fn status(&self) -> Option<BrokerStatus> {
        let now_ms = Clock::system().now_ms();
        let shared = &self.handle.shared;
        Some(status::status(&shared.lock(), &shared.options, now_ms))
    }

    async fn room(&self) -> Result<(), BrokerError> {
        let shared = &self.handle.shared;
        let mut space = shared.space.subscribe();
        loop {
            space.mark_unchanged();
            if shared.running()?.has_room(&shared.options) {
                return Ok(());
            }
            let gone = |_| BrokerError::Closed("it was dropped".into());
            space.changed().await.map_err(gone)?;
        }
    }
}
