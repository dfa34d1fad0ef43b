//! The files around sled: synced, locked and cleared as it does not do by itself.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::BaseError;
use crate::clock::Clock;
use crate::directory::tighten_all;

/// How often, and at what interval, a locked file is tried again: two seconds in all.
const LOCK_TRIES: u32 = 400;
const LOCK_INTERVAL: Duration = Duration::from_millis(5);

/// Waits until nobody has sled's file locked.
///
/// Works around sled 0.34.7: threads of its pool hold its file, and with it the lock, for a
/// moment after the last handle is dropped, so that a reopening at once would be refused.
pub(super) fn wait_for_lock(file: &File, path: &Path) -> Result<(), BaseError> {
    let failed = |source| BaseError::Io { doing: "locking", path: path.to_owned(), source };
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            // sled takes the lock through a descriptor of its own.
            Ok(()) => return file.unlock().map_err(failed),
            Err(TryLockError::WouldBlock) => Clock::block(LOCK_INTERVAL),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
    Err(BaseError::InUse { path: path.to_owned() })
}

/// Takes from group and others what they may do with sled's files, which it makes as the umask
/// allows. Where the file system has no such permissions, the opening of the directory has told.
pub(super) fn make_private(dir: &Path) {
    let _ = tighten_all(dir);
}

/// Syncs a directory with all that is in it, the directory itself last.
pub(super) fn sync_all(dir: &Path) -> Result<(), BaseError> {
    let failed = |source| BaseError::Io { doing: "reading", path: dir.to_owned(), source };
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() { sync_all(&path)? } else { sync_file(&path)? }
    }
    sync_file(dir)
}

pub(super) fn sync_file(path: &Path) -> Result<(), BaseError> {
    let synced: io::Result<()> = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|source| BaseError::Io { doing: "syncing", path: path.to_owned(), source })
}

pub(super) fn parent(dir: &Path) -> PathBuf {
    match dir.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        Some(_) => PathBuf::from("."),
        None => dir.to_owned(),
    }
}
