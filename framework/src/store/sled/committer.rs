//! A sled store that is open: commits, and the checkpoints behind them.

use std::sync::Arc;

use async_trait::async_trait;

use super::SledOptions;
use super::base::Base;
use super::brake::Brake;
use super::open::Files;
use super::table::{Changes, RowError};
use crate::journal::{HeadSync, JournalError};
use crate::store::change;
use crate::store::states::Cold;
use crate::store::tables::Tables;
use crate::store::tables::plan::{Plan, Read, timer_row};
use crate::store::{Batch, Catalog, CommitError, Durable, Recovered, Renames, Store, StoreError};
use crate::tasks::{Tasks, blocking};

/// A store that is open.
pub(super) struct OpenSled {
    pub(super) options: SledOptions,
    pub(super) tables: Tables,
    pub(super) base: Base,
    /// The journal and the directory's lock; away while a commit is being written.
    pub(super) files: Option<Files>,
    /// The checkpoint that runs, if one does. It ends by itself, or at the brake when the store is
    /// dropped.
    pub(super) checkpoint: Tasks<Result<u64, StoreError>>,
    pub(super) brake: Brake,
    /// The newest segment when the last checkpoint began.
    pub(super) checkpointed: u64,
    pub(super) head_synced_ms: u64,
    /// What was decided and found no room. The tables are ahead of the journal by it, so nothing
    /// else is decided, and no checkpoint begins, before it is written.
    pub(super) stalled: Option<Decided>,
    /// Why nothing is written any more.
    pub(super) poison: Option<StoreError>,
}

/// A plan on its way into the journal.
#[derive(Debug)]
pub(super) struct Decided {
    /// The batch's id.
    id: u64,
    time_ms: u64,
    plan: Plan,
    /// The plan's changes, once they are encoded.
    payload: Option<Vec<u8>>,
}

/// `HEAD` is synced when so much time has passed since it was, and something is committed.
const HEAD_SYNC_MS: u64 = 1_000;

/// Rows of that many bytes begin a checkpoint, even if no segment is full: an opening has in memory
/// what none has written, and a million timers are to fit there.
const ROWS_BYTES: usize = 16 << 20;

/// While the rows of a checkpoint are being written, that many bytes of others may come.
const ROWS_BYTES_MAX: usize = 2 * ROWS_BYTES;

/// Why a frame is not durable.
enum WriteError {
    Encoding(postcard::Error),
    Journal(JournalError),
}

impl Decided {
    fn write(&mut self, files: &mut Files, head: HeadSync) -> Result<(), WriteError> {
        let payload = match self.payload.take() {
            Some(payload) => payload,
            None => change::encode(&self.plan.changes).map_err(WriteError::Encoding)?,
        };
        let written = files.journal.append(&payload).and_then(|_| files.journal.sync(head));
        self.payload = Some(payload);
        written.map(drop).map_err(WriteError::Journal)
    }
}

impl OpenSled {
    /// Makes a plan durable, then shows it.
    async fn write(&mut self, mut decided: Decided) -> Result<Durable, CommitError> {
        if decided.plan.changes.is_empty() {
            return Ok(decided.plan.durable);
        }
        let is_due = decided.time_ms.abs_diff(self.head_synced_ms) >= HEAD_SYNC_MS;
        let head = if is_due { HeadSync::Sync } else { HeadSync::Write };
        let shared = Arc::clone(&self.tables.shared);
        let work = move |files: &mut Files| {
            let written = decided.write(files, head);
            if written.is_ok() {
                let changes = std::mem::take(&mut decided.plan.changes);
                shared.show(changes, decided.plan.durable.totals);
            }
            (written, decided)
        };
        let (written, decided) = self.with_files(work).await?;
        match written {
            Ok(()) => {}
            Err(WriteError::Journal(full @ JournalError::NoRoom { .. })) => {
                self.stalled = Some(decided);
                return Err(CommitError::NoRoom(full.to_string().into()));
            }
            Err(WriteError::Journal(error)) => return Err(StoreError::failed(error).into()),
            Err(WriteError::Encoding(error)) => return Err(StoreError::failed(error).into()),
        }
        if is_due {
            self.head_synced_ms = decided.time_ms;
        }
        self.begin_checkpoint()?;
        Ok(decided.plan.durable)
    }

    /// Does blocking work with the journal. A caller that is dropped leaves it unusable.
    async fn with_files<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Files) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = || StoreError::failed("a commit was interrupted: open the store again");
        let mut files = self.files.take().ok_or_else(gone)?;
        let done = blocking(move || {
            // In another's directory nothing is made, renamed or removed.
            let result = files.directory.check().map(|()| work(&mut files));
            (files, result)
        });
        let (files, result) = done.await.map_err(StoreError::failed)?;
        self.files = Some(files);
        result.map_err(StoreError::failed)
    }

    /// What a batch needs that is behind the memtable. No checkpoint changes it meanwhile: what
    /// one writes is in memory.
    pub(super) async fn behind(&self, batch: &Batch) -> Result<Read, StoreError> {
        let behind = self.tables.behind(batch);
        if behind.is_empty() {
            return Ok(Read::default());
        }
        let base = self.base.clone();
        let read = move || {
            let mut read = Read::default();
            for (name, key) in behind.states {
                let version = base.state(name, &key)?.version;
                read.versions.insert((name, key), version);
            }
            for timer in behind.timers {
                let row = base.row(timer_row(timer))?;
                read.timers.extend(row.map(|row| (timer, row)));
            }
            Ok(read)
        };
        blocking(read).await.map_err(StoreError::failed)?
    }

    /// Bytes of rows that no checkpoint has begun to write.
    fn rows_bytes(&self) -> usize {
        self.tables.shared.read().rows.active_bytes()
    }

    /// Begins a checkpoint if a segment was filled since the last one, or there are many new rows,
    /// and none is being written.
    fn begin_checkpoint(&mut self) -> Result<(), StoreError> {
        let Some(files) = &self.files else { return Ok(()) };
        let newest = files.journal.segments().last().map_or(0, |segment| segment.number);
        let is_due = newest > self.checkpointed || self.rows_bytes() >= ROWS_BYTES;
        if !self.checkpoint.is_empty() || !is_due {
            return Ok(());
        }
        self.checkpointed = newest;
        // What the tables hold is what the journal holds: this follows a commit that was written.
        let position = files.journal.durable();
        let changes = Changes::take(&mut self.tables).map_err(StoreError::failed)?;
        let (base, brake) = (self.base.clone(), self.brake.clone());
        self.checkpoint.spawn(async move {
            let write = move || {
                base.write_checkpoint(changes.rows(), position, |_| {
                    Ok::<(), RowError>(brake.batch()?)
                })
            };
            blocking(write).await.map_err(StoreError::failed)?.map_err(StoreError::failed)?;
            Ok(position)
        });
        Ok(())
    }

    /// Drops the segments that a checkpoint has made needless, once it has ended. Waits for it
    /// while the journal has more segments than it may have, or the memory more rows.
    pub(super) async fn end_checkpoint(&mut self, segments_max: usize) -> Result<(), StoreError> {
        let segments = self.files.as_ref().map_or(0, |files| files.journal.segments().len());
        let ended = if segments > segments_max || self.rows_bytes() > ROWS_BYTES_MAX {
            self.checkpoint.ended().await
        } else {
            self.checkpoint.ended_now()
        };
        let Some(ended) = ended else { return Ok(()) };
        let position = ended.map_err(StoreError::failed)??;
        let release = move |files: &mut Files| files.journal.release(position + 1);
        self.with_files(release).await?.map_err(StoreError::failed)
    }

    async fn try_commit(&mut self, batch: &Batch) -> Result<Durable, CommitError> {
        self.end_checkpoint(self.options.journal_segments_max).await?;
        let decided = match self.stalled.take() {
            Some(decided) if decided.id == batch.id => decided,
            Some(decided) => {
                let text =
                    format!("commit {} found none and is to be tried again first", decided.id);
                self.stalled = Some(decided);
                return Err(CommitError::NoRoom(text.into()));
            }
            None => {
                let behind = self.behind(batch).await?;
                let plan = self.tables.plan(batch, behind)?;
                Decided { id: batch.id, time_ms: batch.time_ms, plan, payload: None }
            }
        };
        self.write(decided).await
    }

    fn check(&self) -> Result<(), StoreError> {
        self.poison.clone().map_or(Ok(()), Err)
    }

    /// After a failure nothing is written any more.
    fn guard<T>(&mut self, result: Result<T, CommitError>) -> Result<T, CommitError> {
        if let Err(CommitError::Failed(error)) = &result {
            self.poison.get_or_insert_with(|| error.clone());
        }
        result
    }
}

#[async_trait]
impl Store for OpenSled {
    async fn adopt(&mut self, catalog: Catalog, renames: Renames) -> Result<Recovered, StoreError> {
        self.check()?;
        let plan = self.tables.adopt(catalog, renames)?;
        let written = self.write(Decided { id: 0, time_ms: 0, plan, payload: None }).await;
        match self.guard(written) {
            Ok(_) => Ok(self.tables.recovered()),
            Err(CommitError::Failed(error)) => Err(error),
            Err(error) => Err(StoreError::failed(error)),
        }
    }

    async fn commit(&mut self, batch: &Batch) -> Result<Durable, CommitError> {
        self.check()?;
        let durable = self.try_commit(batch).await;
        self.guard(durable)
    }

    async fn resolve(&mut self, _: u64) -> Result<Option<Durable>, CommitError> {
        // A commit to the local disk is never in doubt: it returns, or the store is poisoned.
        self.check()?;
        Ok(None)
    }

    async fn close(mut self: Box<Self>) -> Result<(), StoreError> {
        self.check()?;
        // Waits for the checkpoint, whatever the number of segments.
        self.end_checkpoint(0).await?;
        let sync = |files: &mut Files| files.journal.sync(HeadSync::Sync).map(drop);
        self.with_files(sync).await?.map_err(StoreError::failed)
    }
}

impl Drop for OpenSled {
    fn drop(&mut self) {
        self.brake.after(0);
    }
}
