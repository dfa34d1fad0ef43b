//! The sled store: a journal in front, and behind it sled as a table that is checkpointed.
//!
//! A commit is one frame of the journal and one sync. sled holds the state as of the last
//! checkpoint; what came since is in memory, and in the journal to be replayed.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::reader::TablesReader;
use super::{OpenStore, Opened, StoreError};
use crate::directory::Patience;
use crate::tasks::blocking;

mod base;
mod before;
mod brake;
mod checkpoint;
mod chunk;
mod cold;
mod committer;
mod error;
mod files;
mod handle;
mod key;
mod meta;
mod open;
mod panic;
mod rebuild;
mod redo;
mod rows;
mod table;
mod verify;

#[cfg(test)]
mod tests;

use base::Base;
pub use chunk::Flaw;
pub use error::BaseError;

/// Whose store a directory is; `None` if it is none that was completely made.
#[cfg(feature = "cli")]
pub(crate) fn service_of(
    dir: &std::path::Path,
) -> Result<Option<Arc<str>>, crate::directory::DirectoryError> {
    open::service_of(dir)
}

/// What sled may keep of its pages in memory, unless it is set. Its own default is 1 GiB.
const CACHE_BYTES: u64 = 32 << 20;

/// What can be set for a sled store.
#[derive(Clone, Debug)]
pub struct SledOptions {
    /// Size of a journal's segment in bytes (default 64 MiB). A checkpoint begins when one is full.
    pub segment_bytes: u64,
    /// How many segments may wait for a checkpoint (default 8); then commits wait for it.
    pub journal_segments_max: usize,
    /// What sled may keep of its pages in memory, in bytes (default 32 MiB). What is not kept is
    /// read from the disk again.
    pub cache_bytes_max: u64,
    /// Where random numbers come from: the store's id, the number of each opening. The default is
    /// random; a fixed one makes a test's run repeatable.
    pub seed: u64,
}

impl Default for SledOptions {
    fn default() -> Self {
        SledOptions {
            segment_bytes: 64 << 20,
            journal_segments_max: 8,
            cache_bytes_max: CACHE_BYTES,
            seed: crate::random::seed(),
        }
    }
}

/// A store in a directory, on this machine's disk. One process has it open at a time; an opening
/// waits up to ten seconds for another one that is closing it.
///
/// ```no_run
/// use framework::prelude::*;
/// use framework::broker::embedded::{EmbeddedBroker, EmbeddedOptions};
/// use framework::store::sled::SledStore;
///
/// # async fn start(app: App) -> Result<(), Box<dyn std::error::Error>> {
/// let broker = EmbeddedBroker::open("data/broker", EmbeddedOptions::default())?;
/// framework::run_on(app, broker, SledStore::new("data/bank")).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SledStore {
    dir: PathBuf,
    options: SledOptions,
    epoch: Epoch,
    patience: Patience,
}

/// What becomes of the epoch of a store that is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Epoch {
    /// It stays.
    Same,
    /// It is raised: the store was put back from an older copy, and must not give the numbers out
    /// again that it gave out then.
    Raised,
}

impl SledStore {
    /// The store in that directory; made when it is first opened.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        SledStore {
            dir: dir.into(),
            options: SledOptions::default(),
            epoch: Epoch::Same,
            patience: Patience::Some,
        }
    }

    /// The same, opened only if nobody has it open at that moment.
    #[cfg(any(test, feature = "cli"))]
    #[must_use]
    pub(crate) fn at_once(mut self) -> Self {
        self.patience = Patience::None;
        self
    }

    /// The same with what becomes of its epoch.
    #[must_use]
    pub(crate) fn epoch(mut self, epoch: Epoch) -> Self {
        self.epoch = epoch;
        self
    }

    /// The same with other options.
    #[must_use]
    pub fn options(mut self, options: SledOptions) -> Self {
        self.options = options;
        self
    }
}

#[async_trait]
impl OpenStore for SledStore {
    async fn open(self: Box<Self>, service: Arc<str>) -> Result<Opened, StoreError> {
        let SledStore { dir, options, epoch, patience } = *self;
        let directory = Some(dir.clone());
        let opening = blocking(move || open::open(dir, options, epoch, patience, service));
        let store = opening.await.map_err(StoreError::failed)??;
        let found = store.tables.found();
        let cold: Arc<Base> = Arc::new(store.base.clone());
        let shared = Arc::clone(&store.tables.shared);
        let reader = Arc::new(TablesReader { shared, cold: Some(cold) });
        Ok(Opened { store: Box::new(store), reader, found, directory })
    }
}
