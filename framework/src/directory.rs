//! A data directory: its lock, and the `FORMAT` file that says whose data these are.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// The operating system refused an operation.
    #[error("could not {action} {}: {source}; check the disk and the file's owner", file.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        file: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// This process or another one has the directory open.
    #[error(
        "the directory {} is in use by another process or another part of this one; stop that \
         first, or choose another directory",
        dir.display()
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// The `FORMAT` file names a format that this version does not know.
    #[error(
        "{} says {found:?}, which this version does not know; use the version that wrote it",
        file.display()
    )]
    Format {
        /// The file.
        file: PathBuf,
        /// What it says.
        found: String,
    },
}

/// A directory that nobody else can open while this value lives.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Closing it gives the lock back.
    _lock: File,
}

impl Directory {
    /// Makes the directory if need be, and locks it.
    pub(crate) fn lock(path: PathBuf) -> Result<Self, DirectoryError> {
        make(&path)?;
        let file = path.join("LOCK");
        let lock = OpenOptions::new().create(true).write(true).truncate(false).open(&file);
        let lock = lock.map_err(|source| io("open", &file, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Directory { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DirectoryError::Locked { dir: path }),
            Err(TryLockError::Error(source)) => Err(io("lock", &file, source)),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What `FORMAT` says behind its first line, which must be `kind`; `None` if the directory
    /// was never completely made.
    pub(crate) fn format(&self, kind: &str) -> Result<Option<String>, DirectoryError> {
        let file = self.path.join("FORMAT");
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io("read", &file, source)),
        };
        match text.split_once('\n') {
            Some((first, rest)) if first == kind => Ok(Some(rest.trim_end().to_owned())),
            _ => Err(DirectoryError::Format { file, found: text }),
        }
    }

    /// Says that everything in the directory is made. The last step, or a crash before it would
    /// leave half a directory that looks whole.
    pub(crate) fn write_format(&self, kind: &str, text: &str) -> Result<(), DirectoryError> {
        let (new, file) = (self.path.join("FORMAT.tmp"), self.path.join("FORMAT"));
        let mut format = File::create(&new).map_err(|source| io("create", &new, source))?;
        writeln!(format, "{kind}\n{text}")
            .and_then(|()| format.sync_data())
            .map_err(|source| io("write", &new, source))?;
        std::fs::rename(&new, &file).map_err(|source| io("rename", &new, source))?;
        sync(&self.path)
    }
}

/// Makes a directory and what leads to it, durably.
fn make(path: &Path) -> Result<(), DirectoryError> {
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

fn sync(dir: &Path) -> Result<(), DirectoryError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|source| io("sync", dir, source))
}

fn io(action: &'static str, file: &Path, source: std::io::Error) -> DirectoryError {
    DirectoryError::Io { action, file: file.to_owned(), source }
}
