//! Why a data directory cannot be used: for the one who starts the service.

use std::path::{Path, PathBuf};

use super::Holder;

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
    /// A file is where a directory is to be.
    #[error(
        "{} is a file, and the data are kept in a directory: name another one as `data`, or move \
         the file away",
        file.display()
    )]
    File {
        /// The file.
        file: PathBuf,
    },
    /// Somebody has the directory open, and has not closed it within ten seconds.
    #[error("the directory {} is in use by {by}: {}", dir.display(), by.remedy())]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// Who.
        by: Holder,
    },
    /// The `FORMAT` file names a format that this version does not read.
    #[error(
        "{} says {found:?}, and this version reads {reads:?} alone; use the version that wrote \
         it, or move the directory away to begin with an empty one",
        file.display()
    )]
    Format {
        /// The file.
        file: PathBuf,
        /// Its first line.
        found: String,
        /// What this version reads.
        reads: &'static str,
    },
    /// The `FORMAT` file is not as it was written.
    #[error(
        "{} is damaged: {reason}; restore it, or the whole data directory, from a backup",
        file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// How that was recognised.
        reason: &'static str,
    },
    /// A file of ours is a symbolic link, which could lead to anybody's.
    #[error(
        "{} is a symbolic link, which is not followed; put the file itself there",
        file.display()
    )]
    Link {
        /// The link.
        file: PathBuf,
    },
    /// The data were removed, moved or replaced while they were open. Nothing is written any more.
    #[error(
        "{} was removed or replaced while it was in use; nothing more is written. Stop the \
         service before its data are moved or restored, then start it again",
        file.display()
    )]
    Replaced {
        /// The file or directory.
        file: PathBuf,
    },
}

/// An I/O error, with what was tried and where.
pub(super) fn io(action: &'static str, file: &Path, source: std::io::Error) -> DirectoryError {
    DirectoryError::Io { action, file: file.to_owned(), source }
}
