//! What can go wrong in the embedded broker, told to the one who must act.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::broker::BrokerError;
use crate::directory::DirectoryError;
use crate::journal::JournalError;
use crate::stream::PartitionId;

/// An error of the embedded broker: what, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// An option has a value that cannot work.
    #[error("the embedded broker's option `{option}` {demand}")]
    Option {
        /// The option.
        option: &'static str,
        /// What it must be.
        demand: &'static str,
    },
    /// The directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// What `FORMAT` says behind its first line is not the id of a store.
    #[error("the FORMAT file in {} cannot be read; restore it from a backup", dir.display())]
    Identity {
        /// The directory.
        dir: PathBuf,
    },
    /// The journal below failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A frame is whole, and yet not what the broker wrote or knows how to read.
    #[error("the frame does not read as a broker's: {0}; use the version that wrote it")]
    Frame(&'static str),
    /// A subscription reads on from where the broker has never been.
    #[error(
        "the store has read {partition} up to offset {cursor}, but the broker has only {end} \
         records there: its data are older than the store's. Restore both from one backup"
    )]
    CursorBeyondEnd {
        /// The partition.
        partition: Arc<PartitionId>,
        /// The offset to read on from.
        cursor: u64,
        /// The offset that the next record will get.
        end: u64,
    },
    /// A record is larger than the broker takes.
    #[error("a record of {bytes} bytes is over the limit of {max}; send its content by reference")]
    TooLarge {
        /// The bytes of key, headers and body.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// The thread that writes could not be started.
    #[error("could not start the broker's writer: {0}")]
    Thread(#[source] io::Error),
}

impl From<EmbeddedError> for BrokerError {
    fn from(error: EmbeddedError) -> Self {
        BrokerError::Failed(Arc::new(error))
    }
}

/// A failure of the journal as the broker's.
pub(super) fn journal_failed(error: JournalError) -> BrokerError {
    EmbeddedError::Journal(error).into()
}
