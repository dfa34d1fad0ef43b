//! A checkpoint: the net changes since the last one, in small batches, and last the position.
//!
//! Each batch is applied, flushed and synced before the next one begins, and carries the tallies
//! as sled then holds them. So a cut between two batches leaves a base that opens: with some
//! newer rows and the old position, over which the journal is replayed.

use std::collections::HashSet;
use std::iter;
use std::sync::PoisonError;

use ::sled::IVec;

use super::base::{Base, Inner};
use super::chunk::{self, Flaw, capacity};
use super::error::BaseError;
use super::key::{META, RowKey, STORED_KEY_MAX};
use super::meta::{Meta, Tally};
use super::redo::Redo;

/// The operations on sled in one batch, the one on the base's own row included. Of 3,000 its
/// memory grew to 1.7 GB: its collector of old pages does not keep up within a batch.
const BATCH_OPERATIONS: usize = 500;

/// The bytes of chunks in one batch, unless a single row has more. See
/// [`SEGMENT_BYTES`](super::base::SEGMENT_BYTES): a batch must write less log than a segment.
const BATCH_BYTES: usize = 256 << 10;

/// A row is never split over two batches, so its chunks are limited: what sled writes for so
/// many, its pages rewritten included, stays below a segment of its log.
const ROW_CHUNKS: usize = 320;

/// The longest value: a little under 1.25 MiB.
pub(crate) const VALUE_BYTES_MAX: usize = capacity(ROW_CHUNKS);

/// A row as it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// The table's tag, from 1 to 255.
    pub(crate) table: u8,
    /// The row's key.
    pub(crate) key: Vec<u8>,
    /// Its value; `None` deletes the row.
    pub(crate) value: Option<Vec<u8>>,
}

impl Change {
    /// The row's address, if the base can take the change. A key has at most 1,019 bytes (a zero
    /// byte counts double), a value at most [`VALUE_BYTES_MAX`]; the store's limits lie below.
    pub(super) fn row(&self) -> Result<RowKey, BaseError> {
        let Change { table, ref key, ref value } = *self;
        if table == 0 {
            return Err(BaseError::ReservedTable);
        }
        let row = RowKey::new(table, key);
        let (stored, limit) = (row.stored_len(), STORED_KEY_MAX);
        if stored > limit {
            return Err(BaseError::KeyTooLong { table, stored, limit });
        }
        let (length, limit) = (value.as_ref().map_or(0, Vec::len), VALUE_BYTES_MAX);
        if length > limit {
            return Err(BaseError::ValueTooLong { table, key: key.clone(), length, limit });
        }
        Ok(row)
    }
}

/// What a checkpoint did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckpointStats {
    /// The changes that were taken.
    pub(crate) changes: u64,
    /// The operations on sled, one a chunk, and one a batch for the base's own row.
    pub(crate) operations: u64,
    /// The batches, each with a sync of its own.
    pub(crate) batches: u64,
}

impl Base {
    /// Writes changes, in any order, and last the position, all synced on return. `before` is
    /// called before each batch and may end the checkpoint.
    ///
    /// If it fails between two batches, some changes are written and the position is not; the
    /// same checkpoint, or a later one with these changes in it, can follow. If a write or a sync
    /// failed, all further use is refused. One checkpoint runs at a time; readers wait only
    /// while a batch is applied, never for the disk.
    pub(super) fn write_checkpoint<E: From<BaseError>>(
        &self,
        changes: impl IntoIterator<Item = Result<Change, E>>,
        position: u64,
        mut before: impl FnMut(&CheckpointStats) -> Result<(), E>,
    ) -> Result<CheckpointStats, E> {
        let inner = &*self.0;
        let mut meta = inner.meta.lock().unwrap_or_else(PoisonError::into_inner);
        if position < meta.position {
            return Err(BaseError::Backwards { position, reached: meta.position }.into());
        }
        let mut stats = CheckpointStats::default();
        let mut batch = Batch::new(&meta);
        for change in changes {
            let change = change?;
            let row = change.row()?;
            let value = change.value.as_deref();
            let new = value.map(|value| chunk::split(change.table, &change.key, value));
            let new = new.unwrap_or_default();
            let mut old = inner.entries_of(&row)?;
            // What is read of a row is only what it was before the batch.
            if !batch.takes(&row, old, &new) {
                before(&stats)?;
                *meta = batch.write(inner, &meta, &mut stats)?;
                batch = Batch::new(&meta);
                old = inner.entries_of(&row)?;
            }
            batch.put(inner, &change, row, old, new)?;
            stats.changes += 1;
        }
        batch.meta.position = position;
        before(&stats)?;
        *meta = batch.write(inner, &meta, &mut stats)?;
        inner.reached(position);
        Ok(stats)
    }
}

impl Inner {
    /// What sled holds of a row.
    fn entries_of(&self, row: &RowKey) -> Result<Tally, BaseError> {
        self.guarded("reading", |inner, db| {
            let mut tally = Tally::default();
            for entry in db.range(row.chunk(0)..=row.chunk(u16::MAX)) {
                let (stored, entry) = entry.map_err(|source| inner.failed("reading", source))?;
                tally.add(&stored, &entry);
            }
            Ok(tally)
        })
    }
}

/// What it takes to replace a row: a put for each new chunk, a deletion for each surplus one.
fn operations(old: Tally, new: &[Vec<u8>]) -> usize {
    new.len().max(usize::try_from(old.entries).unwrap_or(usize::MAX))
}

/// The operations that sled shall take as one.
struct Batch {
    /// Each key once, for a row is in a batch once.
    writes: Vec<(IVec, Option<IVec>)>,
    operations: usize,
    bytes: usize,
    rows: HashSet<RowKey>,
    /// The base's own row as it is after this batch.
    meta: Meta,
}

impl Batch {
    fn new(meta: &Meta) -> Self {
        Batch {
            writes: Vec::new(),
            operations: 0,
            bytes: 0,
            rows: HashSet::new(),
            meta: meta.clone(),
        }
    }

    /// Whether a row fits into what is left of this batch. An empty batch takes every row.
    ///
    /// A row fits once only: what was read of it is what it was before the batch.
    fn takes(&self, row: &RowKey, old: Tally, new: &[Vec<u8>]) -> bool {
        let bytes = self.bytes + new.iter().map(Vec::len).sum::<usize>();
        let operations = self.operations + operations(old, new);
        let small = bytes <= BATCH_BYTES && operations < BATCH_OPERATIONS;
        self.rows.is_empty() || (small && !self.rows.contains(row))
    }

    /// Adds a row's new chunks and the deletion of those that it has too many.
    fn put(
        &mut self,
        inner: &Inner,
        change: &Change,
        row: RowKey,
        old: Tally,
        new: Vec<Vec<u8>>,
    ) -> Result<(), BaseError> {
        let operations = operations(old, &new);
        let mut tally = Tally::default();
        let chunks = new.into_iter().map(Some).chain(iter::repeat(None)).take(operations);
        for (number, chunk) in (0..=u16::MAX).zip(chunks) {
            let stored = row.chunk(number);
            if let Some(chunk) = &chunk {
                tally.add(&stored, chunk);
                self.bytes += chunk.len();
            }
            self.writes.push((stored.into(), chunk.map(IVec::from)));
        }
        let counted = self.meta.replace(change.table, old, tally);
        counted.ok_or_else(|| inner.damaged(change.table, &change.key, Flaw::Surplus))?;
        self.operations += operations;
        self.rows.insert(row);
        Ok(())
    }

    /// Applies, flushes and syncs. What failed of that is written down for the next opening; it
    /// returns what the base's own row then holds.
    fn write(
        mut self,
        inner: &Inner,
        before: &Meta,
        stats: &mut CheckpointStats,
    ) -> Result<Meta, BaseError> {
        self.writes.push((META.into(), Some(self.meta.to_bytes().into())));
        let mut batch = ::sled::Batch::default();
        for (key, value) in &self.writes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        let written = inner.guarded("writing a checkpoint", |inner, db| {
            let failed = |source| inner.failed("writing a checkpoint", source);
            {
                let _alone = inner.applying.write().unwrap_or_else(PoisonError::into_inner);
                db.apply_batch(batch).map_err(failed)?;
            }
            inner.db.flush()?;
            inner.file.sync_data().map_err(|source| BaseError::Io {
                doing: "syncing",
                path: inner.dir.join("db"),
                source,
            })
        });
        if let Err(error) = written {
            inner.poison(&error);
            let bytes = |value: IVec| value.to_vec();
            let writes = self.writes.into_iter();
            let writes = writes.map(|(key, value)| (bytes(key), value.map(bytes))).collect();
            Redo { before: before.to_bytes(), writes }.keep(&inner.dir);
            return Err(error);
        }
        stats.operations += self.operations as u64 + 1;
        stats.batches += 1;
        Ok(self.meta)
    }
}
