//! What does not fit together, and what to do.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sheet;
use crate::stream::{PartitionId, StreamId};

/// The directories of a data directory do not belong together: one of them is missing, or is of
/// another time than the others. Nothing was started, and no message was taken in or handled.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// The broker's directory is missing, or was made anew.
    #[error(
        "the broker's directory {} is missing, or is not the one that service {service:?} was with \
         before, which has its store in {}: what the broker held for it is gone. {}",
        broker.display(), dir.display(), remedy("broker")
    )]
    BrokerMissing {
        /// The broker's directory.
        broker: PathBuf,
        /// The service that was with another one.
        service: Arc<str>,
        /// Its directory.
        dir: PathBuf,
    },
    /// The broker's file FORMAT is missing, and its other files are there.
    #[error(
        "{0}/FORMAT is missing, and the rest of the broker's directory is there: put that file \
         back from a backup. {WHOLE}; or, to go on without what the broker held: move {0} away, \
         and write `broker` into the file ACCEPT in the data directory",
        broker.display()
    )]
    FormatMissing {
        /// The broker's directory.
        broker: PathBuf,
    },
    /// The broker's directory is older than that of a service.
    #[error(
        "the broker's directory {} is older than the store of service {service:?} in {}: it says \
         that they were last together at opening {known}, and the store says at opening \
         {opening}. {WHOLE}; or, to go on without what the broker held: move its directory away, \
         and write `broker` into the file ACCEPT in the data directory",
        broker.display(), dir.display()
    )]
    BrokerOlder {
        /// The broker's directory.
        broker: PathBuf,
        /// The service.
        service: Arc<str>,
        /// Its directory.
        dir: PathBuf,
        /// The opening that the broker knows of.
        known: u64,
        /// The opening that the service's store was part of.
        opening: u64,
    },
    /// A service's store is missing.
    #[error(
        "the store of service {service:?} in {} is missing, and was there at opening {known} of \
         the broker in {}: its states, and what it had still to send and to handle, are gone. {}",
        dir.display(), broker.display(), remedy(service)
    )]
    StoreMissing {
        /// The service.
        service: Arc<str>,
        /// Its directory.
        dir: PathBuf,
        /// The broker's directory.
        broker: PathBuf,
        /// The opening that it was last part of.
        known: u64,
    },
    /// A service's store is older than the broker.
    #[error(
        "the store of service {service:?} in {} is older than the broker in {}: it was last part \
         of opening {opening}, and the broker knows it at opening {known}. What it sent since \
         would be sent again under the same numbers, and taken for copies. {}",
        dir.display(), broker.display(), remedy(service)
    )]
    StoreOlder {
        /// The service.
        service: Arc<str>,
        /// Its directory.
        dir: PathBuf,
        /// The broker's directory.
        broker: PathBuf,
        /// The opening that the broker knows of.
        known: u64,
        /// The opening that the service's store was part of.
        opening: u64,
    },
    /// The broker knows that a service has settled more than its store says.
    #[error(
        "the store of service {service:?} in {dir} is older than the broker: of {partition} it has \
         handled what lies below offset {cursor}, and the broker knows that all below {settled} is \
         settled. {remedy}", dir = dir.display(), remedy = remedy(service)
    )]
    SettledBeyond {
        /// The service.
        service: Arc<str>,
        /// Its directory.
        dir: PathBuf,
        /// The partition.
        partition: Box<PartitionId>,
        /// The offset at which the store would read on.
        cursor: u64,
        /// The offset below which the broker knows all to be settled.
        settled: u64,
    },
    /// A store has read what the broker does not have.
    #[error(
        "the broker's directory is older than the store of service {service:?} in {}: the store \
         has read {partition} up to offset {cursor}, and the broker has only {end} records there. \
         {WHOLE}", dir.display()
    )]
    CursorBeyondEnd {
        /// The service.
        service: Arc<str>,
        /// Its directory.
        dir: PathBuf,
        /// The partition.
        partition: Box<PartitionId>,
        /// The offset at which the store would read on.
        cursor: u64,
        /// The offset of the next record.
        end: u64,
    },
    /// A receiver has more of a stream than its sender's store has ever sent.
    #[error(
        "the store of service {sender:?} in {} is older than that of {receiver:?}: of stream \
         {stream} it has sent {sent} messages, and {receiver:?} has handled number {received}. \
         What it sends next would be taken for copies. {}", dir.display(), remedy(sender)
    )]
    ReceivedBeyond {
        /// The service whose store is older.
        sender: Arc<str>,
        /// Its directory.
        dir: PathBuf,
        /// The service that has received more.
        receiver: Arc<str>,
        /// The stream.
        stream: Box<StreamId>,
        /// The last sequence that the sender's store has given out.
        sent: u64,
        /// The highest sequence that the receiver has settled.
        received: u64,
    },
    /// The file that says what belongs together cannot be read.
    #[error(
        "{} cannot be read, so that nobody knows whether its directory belongs to the others. {}",
        file.display(), remedy(&owner(file))
    )]
    Unreadable {
        /// The file.
        file: PathBuf,
    },
    /// The file that says what belongs together is missing, and the rest of its directory is there.
    #[error(
        "{} is missing, so that nobody knows whether its directory belongs to the others. {}",
        file.display(), remedy(&owner(file))
    )]
    FileMissing {
        /// The file.
        file: PathBuf,
    },
    /// The file ACCEPT names what is not here.
    #[error(
        "{} accepts {name:?}, which is neither \"broker\" nor a service of this program: write the \
         name of the directory that an error has named, or remove the file", file.display()
    )]
    Accepted {
        /// The file.
        file: PathBuf,
        /// What it names.
        name: String,
    },
    /// A file could not be read.
    #[error("could not read {}: {source}; check the disk and the file's owner", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        #[source]
        source: Arc<std::io::Error>,
    },
}

impl FitError {
    /// The error of a directory that is there without its file.
    pub(super) fn missing(dir: &Path) -> Self {
        FitError::FileMissing { file: dir.join(sheet::NAME) }
    }
}

/// The name of the directory that a file is in, which ACCEPT knows it by.
fn owner(file: &Path) -> Cow<'_, str> {
    file.parent().and_then(Path::file_name).map(OsStr::to_string_lossy).unwrap_or_default()
}

/// What is always right.
const WHOLE: &str = "Restore the whole data directory, the broker's and every service's, from one \
                     backup that was taken with the services stopped";

/// What to do about one of the directories.
fn remedy(name: &str) -> String {
    format!(
        "{WHOLE}; or, to go on with what is there, although messages may be lost or handled twice: \
         write `{name}` into the file ACCEPT in the data directory, and start again"
    )
}
