//! A data directory: its lock, and the `FORMAT` file that says whose data these are.
//!
//! The lock is on the directory itself, which cannot be removed while there is something in it.
//! `FORMAT` stays open as long as the lock is held: so it is noticed when the directory, or the
//! data in it, is no longer what was opened, and nothing more is written then.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

mod error;
mod format;
mod holder;
mod lock;
mod private;
#[cfg(test)]
mod tests;

pub use error::DirectoryError;
use error::io;
pub use holder::Holder;
pub(crate) use lock::Patience;
use lock::{Lock, Refused};
pub(crate) use private::{FILE_MODE, tighten_all};

/// A larger file is no `FORMAT`.
const FORMAT_BYTES_MAX: u64 = 64 << 10;

/// A directory that nobody else can open while this value lives.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    lock: Lock,
    /// `FORMAT`, once there is one.
    format: Option<Opened>,
}

/// A file that is held open, so that no other one gets its number.
#[derive(Debug)]
struct Opened {
    file: File,
    path: PathBuf,
    id: (u64, u64),
}

impl Directory {
    /// Makes the directory if need be, locks it, and takes from others what they may do with the
    /// files in it. Blocks while somebody has it open who may be about to close it.
    pub(crate) fn lock(path: PathBuf, patience: Patience) -> Result<Self, DirectoryError> {
        make(&path)?;
        let opened = File::open(&path).map_err(|source| io("open", &path, source))?;
        let lock = match Lock::take(opened, &path, patience) {
            Ok(lock) => lock,
            Err(Refused::By(by)) => return Err(DirectoryError::Locked { dir: path, by }),
            Err(Refused::Io(source)) => return Err(io("lock", &path, source)),
        };
        private::tighten(&path);
        let format = Opened::find(path.join("FORMAT"))?;
        let directory = Directory { path, lock, format };
        // It may have been moved away between the two.
        let found = fs::metadata(&directory.path);
        let found = found.map_err(|source| io("read", &directory.path, source))?;
        let held = directory.lock.metadata();
        let held = held.map_err(|source| io("read", &directory.path, source))?;
        if id(&held) != id(&found) {
            return Err(DirectoryError::Replaced { file: directory.path });
        }
        Ok(directory)
    }

    /// The file that is where the directory, or one above it, is to be.
    pub(crate) fn file_in_the_way(path: &Path) -> Option<PathBuf> {
        let found = path.ancestors().find(|path| path.exists())?;
        (!found.is_dir()).then(|| found.to_owned())
    }

    /// Who has a directory open at this moment; nobody if it cannot be opened.
    pub(crate) fn holder(path: &Path) -> Option<Holder> {
        let dir = File::open(path).ok()?;
        let id = id(&dir.metadata().ok()?);
        matches!(dir.try_lock_shared(), Err(TryLockError::WouldBlock)).then(|| Holder::of(id))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What `FORMAT` says behind its first line, which must be `kind`; `None` if the directory
    /// was never completely made.
    pub(crate) fn format(&self, kind: &'static str) -> Result<Option<String>, DirectoryError> {
        self.format.as_ref().map(|opened| format::read(kind, opened)).transpose()
    }

    /// Says that everything in the directory is made. The last step, or a crash before it would
    /// leave half a directory that looks whole.
    pub(crate) fn write_format(&mut self, kind: &str, text: &str) -> Result<(), DirectoryError> {
        let (new, file) = (self.path.join("FORMAT.tmp"), self.path.join("FORMAT"));
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(io("remove", &new, error));
            }
            _ => {}
        }
        // A file that is made anew follows no link.
        let created = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&new);
        let mut format = created.map_err(|source| io("create", &new, source))?;
        format
            .write_all(format::text(kind, text).as_bytes())
            .and_then(|()| format.sync_data())
            .map_err(|source| io("write", &new, source))?;
        fs::rename(&new, &file).map_err(|source| io("rename", &new, source))?;
        sync(&self.path)?;
        self.format = Opened::find(file)?;
        Ok(())
    }

    /// Fails if the directory or its data were removed, moved or replaced since it was opened. To
    /// be asked before something is written that is to be acknowledged.
    pub(crate) fn check(&self) -> Result<(), DirectoryError> {
        let Some(opened) = &self.format else { return Ok(()) };
        match fs::symlink_metadata(&opened.path) {
            Ok(found) if id(&found) == opened.id => Ok(()),
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(io("read", &opened.path, source))
            }
            _ => Err(DirectoryError::Replaced { file: opened.path.clone() }),
        }
    }
}

impl Opened {
    /// Opens a file, not a link to one; `None` if there is none.
    fn find(path: PathBuf) -> Result<Option<Self>, DirectoryError> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
                return Err(DirectoryError::Link { file: path });
            }
            Err(source) => return Err(io("open", &path, source)),
        };
        let found = file.metadata().map_err(|source| io("read", &path, source))?;
        Ok(Some(Opened { file, path, id: id(&found) }))
    }

    fn read(&self) -> Result<Vec<u8>, DirectoryError> {
        let mut bytes = Vec::new();
        let read = (&self.file).take(FORMAT_BYTES_MAX).read_to_end(&mut bytes);
        read.map_err(|source| io("read", &self.path, source))?;
        Ok(bytes)
    }
}

/// The text of a directory's `FORMAT`, unchecked; `None` if it has none.
#[cfg(feature = "cli")]
pub(crate) fn format_text(dir: &Path) -> Result<Option<String>, DirectoryError> {
    let Some(opened) = Opened::find(dir.join("FORMAT"))? else { return Ok(None) };
    Ok(Some(String::from_utf8_lossy(&opened.read()?).into_owned()))
}

/// What tells one file from all others as long as it is open: device and number.
fn id(file: &fs::Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Makes a directory and what leads to it, durably, for its owner alone.
fn make(path: &Path) -> Result<(), DirectoryError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    make(parent)?;
    match DirBuilder::new().mode(private::DIRECTORY_MODE).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(io("create", path, error)),
        // A directory is durable only once the one above it was synced.
        _ => sync(parent),
    }
}

fn sync(dir: &Path) -> Result<(), DirectoryError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|source| io("sync", dir, source))
}
