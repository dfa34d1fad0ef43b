//! What can go wrong with the journal, told to the one who must act.

use std::{error::Error, io, path::PathBuf, sync::Arc};

/// An error of the journal: what happened, in which file, and what to do about it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The operating system refused an operation. After an append or a sync the journal is poisoned.
    #[error(
        "could not {action} {}: {source}; check the disk, then start again (what was acknowledged \
         is kept)",
        file.display()
    )]
    Io {
        /// What was tried: a verb such as `write` or `sync`.
        action: &'static str,
        /// The file or directory.
        file: PathBuf,
        /// What the operating system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// An earlier write or sync failed. What reached the disk is unknown, so nothing is tried
    /// again: close the journal and open it anew.
    #[error("the journal stopped at an earlier failure and must be opened anew: {cause}")]
    Poisoned {
        /// The first failure.
        #[source]
        cause: Box<JournalError>,
    },
    /// The disk is full. Nothing of the frame was written and the journal is not poisoned: the
    /// append can be tried again when there is room.
    #[error(
        "no room for {}: {source}; free space on this file system, then the append can be repeated",
        file.display()
    )]
    NoRoom {
        /// The segment that could not grow.
        file: PathBuf,
        /// What the operating system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// A frame larger than [`Options::frame_bytes_max`](super::Options). Nothing was written.
    #[error(
        "a frame of {bytes} bytes is over the limit of {max}; commit less at a time, or raise \
         `frame_bytes_max`"
    )]
    TooLarge {
        /// Bytes of the payload.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// Bytes that were durable are no longer what they were. Nothing was changed on disk.
    #[error("{} is damaged at offset {offset}: {reason}; {remedy}", file.display())]
    Damaged {
        /// The damaged file.
        file: PathBuf,
        /// Where in the file, in bytes.
        offset: u64,
        /// How the damage was recognised.
        reason: Damage,
        /// What to do.
        remedy: &'static str,
    },
    /// Records that the owner still needs, or has already used, are not in the journal. Nothing was
    /// changed on disk.
    #[error(
        "the store lost records {first}..={last}: they are not in {}; restore the whole data \
         directory from one backup, never single files of it",
        dir.display()
    )]
    Lost {
        /// The first missing sequence.
        first: u64,
        /// The last missing sequence.
        last: u64,
        /// The journal's directory.
        dir: PathBuf,
    },
    /// The bytes asked for are in no live segment, or are not durable yet.
    #[error(
        "segment {segment} has no durable bytes {offset}..+{length}: it was released, or they are \
         not synced yet"
    )]
    NotLive {
        /// The segment asked for.
        segment: u64,
        /// Offset asked for, in bytes.
        offset: u64,
        /// Length asked for, in bytes.
        length: u64,
    },
    /// A journal was to be made where one with frames exists. Nothing was changed.
    #[error(
        "{} is missing, and the journal beside it holds frames: put that file back from a \
         backup of its directory; if the data are not wanted, move the directory away",
        dir.with_file_name("FORMAT").display()
    )]
    Occupied {
        /// The journal's directory.
        dir: PathBuf,
    },
    /// The owner refused a frame while the journal was opened.
    #[error("frame {sequence} was refused by its owner: {source}")]
    Refused {
        /// The frame's sequence.
        sequence: u64,
        /// Why.
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },
}

/// How damage was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// A frame that was durable is unreadable, or does not continue the one before.
    #[error("frame {sequence} was durable here, and is unreadable or out of its chain")]
    Frame {
        /// The sequence that should stand there.
        sequence: u64,
    },
    /// A frame is readable, but it is another one than `HEAD` remembers.
    #[error("frame {sequence} is not the one that HEAD remembers")]
    OtherFrame {
        /// The frame's sequence.
        sequence: u64,
    },
    /// A segment does not begin where the one before ends.
    #[error("the next segment begins at frame {next}, but this one ends before frame {sequence}")]
    Chain {
        /// The sequence that should follow.
        sequence: u64,
        /// The sequence with which the next segment begins.
        next: u64,
    },
    /// A segment's header is unreadable, or names another segment.
    #[error("the segment's header is unreadable, or belongs to another segment")]
    Header,
    /// A file is missing.
    #[error("the file is missing")]
    Missing,
    /// No slot of `HEAD` is readable.
    #[error("no slot of HEAD is readable")]
    Head,
    /// The file is intact, but another store's.
    #[error("the file belongs to store {found:016x}, not to this one")]
    OtherStore {
        /// The store that the file names.
        found: u64,
    },
}

impl JournalError {
    /// The owner's reason to refuse a frame, for the closure that is handed to
    /// [`Journal::open`](super::Journal::open).
    pub fn refused(sequence: u64, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Refused { sequence, source: Arc::from(source.into()) }
    }

    /// Damage found in `file` at `offset`, with the one remedy there is.
    pub(super) fn damaged(file: impl Into<PathBuf>, offset: u64, reason: Damage) -> Self {
        let remedy = match reason {
            Damage::OtherStore { .. } => "put this store's own file back",
            _ => {
                "keep a copy of the directory, check the disk, and restore the whole data \
                 directory from a backup"
            }
        };
        Self::Damaged { file: file.into(), offset, reason, remedy }
    }

    /// Whether the journal must not go on after this error.
    pub(super) fn poisons(&self) -> bool {
        !matches!(self, Self::NoRoom { .. } | Self::TooLarge { .. } | Self::NotLive { .. })
    }

    /// The same error, but as [`NoRoom`](Self::NoRoom) where the disk was only full. For steps that
    /// can be repeated from the start because nothing relies on them yet.
    pub(super) fn repeatable(self) -> Self {
        match self {
            Self::Io { file, source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Self::NoRoom { file, source }
            }
            other => other,
        }
    }
}

/// Names the operation and the file of an I/O error.
pub(super) trait At<T> {
    fn at(self, action: &'static str, file: &std::path::Path) -> Result<T, JournalError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, action: &'static str, file: &std::path::Path) -> Result<T, JournalError> {
        self.map_err(|source| JournalError::Io {
            action,
            file: file.to_owned(),
            source: Arc::new(source),
        })
    }
}
