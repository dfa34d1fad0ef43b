//! The base: the checkpointed table behind the journal, in one tree of sled.
//!
//! What it relies on, and what it never does, is measured: sled's `flush` is no fsync, so each
//! batch is flushed and then synced through our own descriptor; values stay at 4 KiB or below;
//! an opening verifies all tallies, and nothing is repaired, shortened or made anew.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use super::CACHE_BYTES;
use super::chunk::{Assembly, Flaw};
use super::error::BaseError;
use super::files::{make_private, parent, sync_all, sync_file, wait_for_lock};
use super::handle::Handle;
use super::key::{self, META, RowKey};
use super::meta::Meta;
use super::panic::caught;
use super::rebuild::rebuild;
use super::redo::redo;
use super::rows::Rows;
use super::verify::{Watch, verify};

/// The segments of sled's log, at their largest. Fixed in the format.
///
/// Works around sled 0.34.7: it takes a segment for free, and writes over it, once what replaces
/// it was flushed, which is not yet durable. That needs more than a whole segment of log between
/// two syncs; with sled's own 512 KiB, 2 in 100 simulated power cuts left a store that did not
/// open. A batch here writes less log than one of these, so it never happens.
pub(super) const SEGMENT_BYTES: usize = 16 << 20;

/// The table of all rows as of the last checkpoint. Clones share it.
#[derive(Clone)]
pub(crate) struct Base(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) dir: PathBuf,
    pub(super) db: Handle,
    /// sled's file, through a descriptor of our own: the one that is synced.
    pub(super) file: File,
    position: AtomicU64,
    /// What the base's own row holds. Locked by the one checkpoint that may run at a time.
    pub(super) meta: Mutex<Meta>,
    /// sled reads entry by entry: without this lock a reader could see a row of several chunks
    /// half in its old and half in its new value while a batch is applied.
    pub(super) applying: RwLock<()>,
    /// Why nothing more is read or written. A sync that failed is never tried again.
    broken: OnceLock<String>,
}

impl std::fmt::Debug for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Base").field("dir", &self.0.dir).finish_non_exhaustive()
    }
}

impl Base {
    /// Makes a new base in `dir`, which must be empty or absent.
    ///
    /// All its files and directories are synced on return. A base is only to be believed once
    /// the caller has written that it was made: after a crash in here, remove `dir`.
    pub(crate) fn create(dir: &Path) -> Result<(), BaseError> {
        let failed = |source| BaseError::Io { doing: "making", path: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(failed)?;
        if fs::read_dir(dir).map_err(failed)?.next().is_some() {
            return Err(BaseError::Exists { path: dir.to_owned() });
        }
        caught("making a base", dir, || {
            let failed = |source| sled_error("making a base", dir, source);
            let db = config(dir, CACHE_BYTES).open().map_err(failed)?;
            db.insert(META, Meta::default().to_bytes()).map_err(failed)?;
            db.flush().map(drop).map_err(failed)
        })?;
        let path = dir.join("db");
        wait_for_lock(&File::open(&path).map_err(failed)?, &path)?;
        make_private(dir);
        sync_all(dir)?;
        sync_file(&parent(dir))
    }

    /// Opens a base and verifies it; anything that is not as the last batch left it is refused.
    ///
    /// Every table's entries are counted and summed anew, and every row must have its chunks
    /// without a gap. A row's checksum is verified when it is read.
    ///
    /// Rows are shown on the way: reading a million of them twice takes twice as long.
    pub(crate) fn open_watched<W: Watch>(
        dir: &Path,
        cache_bytes: u64,
    ) -> Result<(Self, Vec<W>), BaseError> {
        let path = dir.join("db");
        match fs::metadata(&path) {
            Ok(file) if file.len() > 0 => {}
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(BaseError::Io { doing: "opening", path, source });
            }
            _ => return Err(BaseError::Missing { path }),
        }
        // What a killed process wrote may be in the page cache only. It is made durable before
        // it is believed: a checkpoint that is seen lets segments of the journal go.
        let failed = |source| BaseError::Io { doing: "syncing", path: path.clone(), source };
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(failed)?;
        wait_for_lock(&file, &path)?;
        file.sync_data().map_err(failed)?;
        rebuild(dir)?;
        let (db, again, (meta, watches)) = caught("opening", dir, || {
            let db = config(dir, cache_bytes).open();
            let db = db.map_err(|source| sled_error("opening", dir, source))?;
            let again = redo(&db, dir)?;
            let verified = verify(&db, dir)?;
            Ok((db, again, verified))
        })?;
        make_private(dir);
        let db = Handle::new(dir.to_owned(), db);
        if again {
            db.flush().and_then(|()| file.sync_data().map_err(failed)).inspect_err(|_| {
                db.abandon();
            })?;
        }
        // sled has written a new snapshot, or `conf`, without syncing the directory.
        sync_file(&dir.join("conf"))?;
        sync_file(dir)?;
        let base = Base(Arc::new(Inner {
            dir: dir.to_owned(),
            db,
            file,
            position: AtomicU64::new(meta.position),
            meta: Mutex::new(meta),
            applying: RwLock::new(()),
            broken: OnceLock::new(),
        }));
        Ok((base, watches))
    }

    /// Opens a base and verifies it.
    pub(crate) fn open(dir: &Path) -> Result<Self, BaseError> {
        Base::open_watched::<()>(dir, CACHE_BYTES).map(|(base, _)| base)
    }

    /// The journal's sequence up to which the base is complete: 0 in a new one.
    ///
    /// After a crash within a checkpoint some rows are newer than that; the journal still has
    /// them, and its puts are absolute.
    pub(crate) fn position(&self) -> u64 {
        self.0.position.load(Ordering::Acquire)
    }

    /// The value of a row, verified; `None` if there is no such row.
    pub(crate) fn get(&self, table: u8, key: &[u8]) -> Result<Option<Vec<u8>>, BaseError> {
        if table == 0 {
            return Err(BaseError::ReservedTable);
        }
        self.0.guarded("reading", |inner, db| {
            let row = RowKey::new(table, key);
            let _unchanged = inner.applying.read().unwrap_or_else(PoisonError::into_inner);
            let damaged = |flaw| inner.damaged(table, key, flaw);
            let mut assembly: Option<Assembly> = None;
            for entry in db.range(row.chunk(0)..=row.chunk(u16::MAX)) {
                let (stored, entry) = entry.map_err(|source| inner.failed("reading", source))?;
                let (_, number) = key::split(&stored).ok_or_else(|| damaged(Flaw::Key))?;
                match &mut assembly {
                    None => assembly = Some(Assembly::begin(number, &entry).map_err(damaged)?),
                    Some(assembly) => assembly.push(number, &entry).map_err(damaged)?,
                }
            }
            assembly.map(|row| row.finish(table, key).map_err(damaged)).transpose()
        })
    }

    /// The rows of `table` whose key is `from` or above, verified, in the order of their keys.
    ///
    /// They are read in pages of bounded size as the iterator is drawn from; a row is whole, but
    /// a checkpoint that runs meanwhile may show in later rows. After an error it ends.
    pub(crate) fn scan(
        &self,
        table: u8,
        from: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), BaseError>> + use<> {
        Rows::new(Arc::clone(&self.0), table, from)
    }
}

impl Inner {
    /// Runs work on sled, unless something failed before for good; after a panic all is refused.
    pub(super) fn guarded<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Self, &::sled::Db) -> Result<T, BaseError>,
    ) -> Result<T, BaseError> {
        let db = match (self.broken.get(), self.db.get()) {
            (None, Some(db)) => db,
            (reason, _) => {
                let reason = reason.cloned().unwrap_or_default();
                return Err(BaseError::Poisoned { path: self.dir.clone(), reason });
            }
        };
        let result = caught(doing, &self.dir, || work(self, db));
        if let Err(error @ BaseError::Panicked { .. }) = &result {
            self.poison(error);
        }
        result
    }

    /// Refuses all that follows: what sled or the disk now hold is not known. sled itself may
    /// write nothing more either.
    pub(super) fn poison(&self, error: &BaseError) {
        self.broken.get_or_init(|| {
            self.db.abandon();
            error.to_string()
        });
    }

    /// Shows the position of a checkpoint that is complete and synced.
    pub(super) fn reached(&self, position: u64) {
        self.position.store(position, Ordering::Release);
    }

    pub(super) fn damaged(&self, table: u8, key: &[u8], flaw: Flaw) -> BaseError {
        BaseError::Damaged { path: self.dir.clone(), table, key: key.to_owned(), flaw }
    }

    pub(super) fn failed(&self, doing: &'static str, source: ::sled::Error) -> BaseError {
        sled_error(doing, &self.dir, source)
    }
}

/// sled without its background flusher: only a checkpoint writes.
pub(super) fn config(dir: &Path, cache_bytes: u64) -> ::sled::Config {
    let config = ::sled::Config::new().path(dir).cache_capacity(cache_bytes);
    config.flush_every_ms(None).segment_size(SEGMENT_BYTES)
}

/// sled's own error, with where it was.
pub(super) fn sled_error(doing: &'static str, dir: &Path, source: ::sled::Error) -> BaseError {
    BaseError::Sled { doing, path: dir.to_owned(), source }
}
