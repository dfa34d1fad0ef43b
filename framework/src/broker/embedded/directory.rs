//! The broker's directory: its lock, and the `FORMAT` file that says whose data these are.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::EmbeddedError;

/// First line of `FORMAT`. A new format gets a new number; old ones are never given away again.
const FORMAT: &str = "endwise embedded broker, format 1";

/// A directory that no other broker can open while this value lives.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Closing it gives the lock back.
    _lock: File,
}

impl Directory {
    /// Makes the directory if need be, and locks it.
    pub(super) fn lock(path: PathBuf) -> Result<Self, EmbeddedError> {
        make(&path)?;
        let file = path.join("LOCK");
        let lock = OpenOptions::new().create(true).write(true).truncate(false).open(&file);
        let lock = lock.map_err(|source| io("open", &file, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Directory { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(EmbeddedError::Locked { dir: path }),
            Err(TryLockError::Error(source)) => Err(io("lock", &file, source)),
        }
    }

    /// Where the journal is.
    pub(super) fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// The store's id, if the directory was ever completely made.
    pub(super) fn store_id(&self) -> Result<Option<u64>, EmbeddedError> {
        let file = self.path.join("FORMAT");
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io("read", &file, source)),
        };
        let id = text
            .strip_prefix(FORMAT)
            .and_then(|rest| rest.trim().strip_prefix("store "))
            .and_then(|id| u64::from_str_radix(id, 16).ok());
        id.map(Some).ok_or(EmbeddedError::Format { file, found: text })
    }

    /// Says that everything in the directory is made. The last step, or a crash before it would
    /// leave half a directory that looks whole.
    pub(super) fn write_format(&self, store_id: u64) -> Result<(), EmbeddedError> {
        let (new, file) = (self.path.join("FORMAT.tmp"), self.path.join("FORMAT"));
        let mut format = File::create(&new).map_err(|source| io("create", &new, source))?;
        writeln!(format, "{FORMAT}\nstore {store_id:016x}")
            .and_then(|()| format.sync_data())
            .map_err(|source| io("write", &new, source))?;
        std::fs::rename(&new, &file).map_err(|source| io("rename", &new, source))?;
        sync(&self.path)
    }
}

/// Makes a directory and what leads to it, durably.
fn make(path: &Path) -> Result<(), EmbeddedError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    make(parent)?;
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(io("create", path, error))
        }
        // A directory is durable only once the one above it was synced.
        _ => sync(parent),
    }
}

fn sync(dir: &Path) -> Result<(), EmbeddedError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|source| io("sync", dir, source))
}

fn io(action: &'static str, file: &Path, source: std::io::Error) -> EmbeddedError {
    EmbeddedError::Io { action, file: file.to_owned(), source }
}
