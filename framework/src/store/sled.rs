//! The sled store: a journal in front, and behind it sled as a table that is checkpointed.
//!
//! A commit is one frame of the journal and one sync. sled holds the state as of the last
//! checkpoint; what came since is in memory, and in the journal to be replayed.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::tables::Tables;
use super::{
    Batch, Catalog, CommitError, Durable, OpenStore, Opened, Recovered, Renames, Store, StoreError,
};
use crate::journal::{HeadSync, JournalError};
use crate::store::change;
use crate::store::reader::TablesReader;
use crate::store::tables::plan::Plan;
use crate::tasks::{Tasks, blocking};

mod base;
mod checkpoint;
mod chunk;
mod error;
mod files;
mod key;
mod meta;
mod open;
mod panic;
mod rows;
mod table;
mod verify;

#[cfg(test)]
mod tests;

use base::Base;
pub use chunk::Flaw;
pub use error::BaseError;
use open::Files;

/// What can be set for a sled store.
#[derive(Clone, Debug)]
pub struct SledOptions {
    /// Size of a journal's segment in bytes (default 64 MiB). A checkpoint begins when one is full.
    pub segment_bytes: u64,
    /// How many segments may wait for a checkpoint (default 8); then commits wait for it.
    pub journal_segments_max: usize,
    /// Where random numbers come from: the store's id, the number of each opening. The default is
    /// random; a fixed one makes a test's run repeatable.
    pub seed: u64,
}

impl Default for SledOptions {
    fn default() -> Self {
        SledOptions {
            segment_bytes: 64 << 20,
            journal_segments_max: 8,
            seed: crate::random::seed(),
        }
    }
}

/// A store in a directory, on this machine's disk. One process has it open at a time.
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
}

impl SledStore {
    /// The store in that directory; made when it is first opened.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        SledStore { dir: dir.into(), options: SledOptions::default() }
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
        let opening = blocking(move || open::open(self.dir, self.options, service));
        let store = opening.await.map_err(StoreError::failed)??;
        let found = store.tables.found();
        let cold: Arc<Base> = Arc::new(store.base.clone());
        let shared = Arc::clone(&store.tables.shared);
        let reader = Arc::new(TablesReader { shared, cold: Some(cold) });
        Ok(Opened { store: Box::new(store), reader, found })
    }
}

/// A store that is open.
struct OpenSled {
    options: SledOptions,
    tables: Tables,
    base: Base,
    /// The journal and the directory's lock; away while a commit is being written.
    files: Option<Files>,
    checkpoint: Tasks<Result<u64, StoreError>>,
    /// How many segments there were when the last checkpoint began.
    checkpointed: u64,
    head_synced_ms: u64,
    /// Why nothing is written any more.
    poison: Option<StoreError>,
}

/// `HEAD` is synced when so much time has passed since it was, and something is committed.
const HEAD_SYNC_MS: u64 = 1_000;

impl OpenSled {
    /// Makes a plan durable, then shows it.
    async fn write(&mut self, plan: Plan, time_ms: u64) -> Result<Durable, CommitError> {
        if plan.changes.is_empty() {
            return Ok(plan.durable);
        }
        let payload = change::encode(&plan.changes).map_err(StoreError::failed)?;
        let head = self.head_sync(time_ms);
        self.with_files(move |files| {
            files.journal.append(&payload)?;
            files.journal.sync(head).map(drop)
        })
        .await?;
        self.tables.shared.show(plan.changes);
        self.begin_checkpoint()?;
        Ok(plan.durable)
    }

    fn head_sync(&mut self, time_ms: u64) -> HeadSync {
        if time_ms.abs_diff(self.head_synced_ms) < HEAD_SYNC_MS {
            return HeadSync::Write;
        }
        self.head_synced_ms = time_ms;
        HeadSync::Sync
    }

    /// Does blocking work with the journal. A caller that is dropped leaves it unusable.
    async fn with_files(
        &mut self,
        work: impl FnOnce(&mut Files) -> Result<(), JournalError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let gone = || StoreError::failed("a commit was interrupted: open the store again");
        let mut files = self.files.take().ok_or_else(gone)?;
        let done = blocking(move || {
            let result = work(&mut files);
            (files, result)
        });
        let (files, result) = done.await.map_err(StoreError::failed)?;
        self.files = Some(files);
        result.map_err(StoreError::failed)
    }

    /// Begins a checkpoint if a segment was filled since the last one and none is being written.
    fn begin_checkpoint(&mut self) -> Result<(), StoreError> {
        let Some(files) = &self.files else { return Ok(()) };
        let segments = files.journal.segments();
        let newest = segments.last().map_or(0, |segment| segment.number);
        if !self.checkpoint.is_empty() || newest <= self.checkpointed {
            return Ok(());
        }
        self.checkpointed = newest;
        self.checkpoint_now()
    }

    fn checkpoint_now(&mut self) -> Result<(), StoreError> {
        let Some(files) = &self.files else { return Ok(()) };
        let position = files.journal.durable();
        let rows = table::rows(&mut self.tables).map_err(StoreError::failed)?;
        let states = self.tables.shared.freeze();
        let base = self.base.clone();
        self.checkpoint.spawn(async move {
            let written = blocking(move || {
                let all = rows.into_iter().chain(table::state_rows(&states));
                base.checkpoint(all, position)
            });
            written.await.map_err(StoreError::failed)?.map_err(StoreError::failed)?;
            Ok(position)
        });
        Ok(())
    }

    /// Lets go of what a checkpoint has written, once it has ended. Waits for it while the
    /// journal has more segments than it may have.
    async fn end_checkpoint(&mut self, segments_max: usize) -> Result<(), StoreError> {
        let segments = self.files.as_ref().map_or(0, |files| files.journal.segments().len());
        let ended = if segments > segments_max {
            self.checkpoint.ended().await
        } else {
            self.checkpoint.ended_now()
        };
        let Some(ended) = ended else { return Ok(()) };
        let position = ended.map_err(StoreError::failed)??;
        self.tables.shared.thaw();
        self.with_files(move |files| files.journal.release(position + 1)).await
    }

    async fn try_commit(&mut self, batch: &Batch) -> Result<Durable, CommitError> {
        self.end_checkpoint(self.options.journal_segments_max).await?;
        let plan = self.tables.plan(batch, Some(&self.base))?;
        self.write(plan, batch.time_ms).await
    }
}

#[async_trait]
impl Store for OpenSled {
    async fn adopt(&mut self, catalog: Catalog, renames: Renames) -> Result<Recovered, StoreError> {
        let plan = self.tables.adopt(catalog, renames)?;
        self.write(plan, 0).await.map_err(StoreError::failed)?;
        Ok(self.tables.recovered())
    }

    async fn commit(&mut self, batch: &Batch) -> Result<Durable, CommitError> {
        if let Some(poison) = &self.poison {
            return Err(poison.clone().into());
        }
        let durable = self.try_commit(batch).await;
        if let Err(CommitError::Failed(error)) = &durable {
            self.poison = Some(error.clone());
        }
        durable
    }

    async fn resolve(&mut self, _: u64) -> Result<Option<Durable>, CommitError> {
        // A commit to the local disk is never in doubt: it returns, or the store is poisoned.
        Ok(None)
    }

    async fn close(mut self: Box<Self>) -> Result<(), StoreError> {
        if let Some(poison) = self.poison {
            return Err(poison);
        }
        if let Some(ended) = self.checkpoint.ended().await {
            ended.map_err(StoreError::failed)??;
        }
        self.with_files(|files| files.journal.sync(HeadSync::Sync).map(drop)).await
    }
}
