//! What can go wrong with the base: for the one who starts the service or restores a backup.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::chunk::Flaw;

/// An error of the checkpointed table behind the journal.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BaseError {
    /// There is no base where one should be. It is never made anew in silence.
    #[error(
        "{path}, the store's checkpoint, is missing or empty: restore the whole data directory \
         from one backup; it is not replaced by an empty one"
    )]
    Missing {
        /// The file that is not there, or is empty.
        path: PathBuf,
    },
    /// A base was to be made where files are already.
    #[error(
        "{path} is not empty: a new base needs a directory of its own; remove it or choose another"
    )]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// Another process, or another handle in this one, has the base open.
    #[error(
        "{path} is in use by another process, which is to be stopped first; or sled failed in this \
         process before: then end it, and start it again"
    )]
    InUse {
        /// sled's file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error(
        "{doing} {path} failed: {source}; check the disk, its space and the permissions, then start again"
    )]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// sled refused.
    #[error("{}", sled_text(doing, path, source))]
    Sled {
        /// What was being done.
        doing: &'static str,
        /// sled's directory.
        path: PathBuf,
        /// sled's reason.
        source: ::sled::Error,
    },
    /// sled panicked; the panic was caught.
    #[error(
        "sled stopped {doing} {path}/db: {message}; if the next start fails too, the file is \
         damaged: restore the whole data directory from one backup"
    )]
    Panicked {
        /// What was being done.
        doing: &'static str,
        /// sled's directory.
        path: PathBuf,
        /// The panic's message.
        message: String,
    },
    /// A row is not what was written.
    #[error(
        "{path}/db is damaged: table {table}, key \"{}\": {flaw}; restore the whole data directory \
         from one backup",
        key.escape_ascii()
    )]
    Damaged {
        /// sled's directory.
        path: PathBuf,
        /// The table's tag; 0 for the base's own row.
        table: u8,
        /// The row's key.
        key: Vec<u8>,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// A table holds more or fewer entries than were written.
    #[error(
        "{path}/db is damaged: table {table} holds {found} entries, {recorded} were written; \
         restore the whole data directory from one backup"
    )]
    Miscounted {
        /// sled's directory.
        path: PathBuf,
        /// The table's tag.
        table: u8,
        /// How many are there.
        found: u64,
        /// How many the last batch recorded.
        recorded: u64,
    },
    /// A table holds as many entries as were written, but not the same.
    #[error(
        "{path}/db is damaged: table {table} holds other entries than were written last, such as \
         an older version of a row; restore the whole data directory from one backup"
    )]
    Changed {
        /// sled's directory.
        path: PathBuf,
        /// The table's tag.
        table: u8,
    },
    /// Table 0 is the base's own.
    #[error("table 0 is reserved for the base's own row: give the table a tag from 1 to 255")]
    ReservedTable,
    /// A key is longer than sled can hold safely.
    #[error(
        "a key of table {table} needs {stored} bytes as stored, the limit is {limit}: shorten it"
    )]
    KeyTooLong {
        /// The table's tag.
        table: u8,
        /// Its length as stored: a zero byte counts double.
        stored: usize,
        /// The limit.
        limit: usize,
    },
    /// A value does not fit into one batch.
    #[error(
        "a value of {length} bytes at key \"{}\" of table {table} is above the limit of {limit}: \
         split it",
        key.escape_ascii()
    )]
    ValueTooLong {
        /// The table's tag.
        table: u8,
        /// The row's key.
        key: Vec<u8>,
        /// The value's length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// A checkpoint would have moved the position back.
    #[error("a checkpoint at position {position} is behind the base, which is at {reached}")]
    Backwards {
        /// The position asked for.
        position: u64,
        /// The position reached before.
        reached: u64,
    },
    /// The store was closed or dropped in the middle of a checkpoint. Nothing is lost: the journal
    /// has it all.
    #[error("a checkpoint was stopped in its middle: open the store again, it will be made anew")]
    Stopped,
    /// An earlier write or sync failed, so nothing more is read or written.
    #[error(
        "{path} failed before ({reason}) and is not used further: stop, check the disk, start again"
    )]
    Poisoned {
        /// sled's directory.
        path: PathBuf,
        /// The earlier failure.
        reason: String,
    },
}

/// sled's refusal, with the file that is to blame.
fn sled_text(doing: &str, path: &Path, source: &::sled::Error) -> String {
    let db = path.join("db");
    match source {
        ::sled::Error::Corruption { .. } => format!(
            "{} is damaged ({source}); restore the whole data directory from one backup",
            db.display()
        ),
        ::sled::Error::Io(source) => {
            format!("{doing} {} failed: {source}; check the disk, then start again", db.display())
        }
        source => format!(
            "sled failed {doing} {}: {source}; check the disk; if the next start fails too, \
             restore the whole data directory from one backup",
            db.display()
        ),
    }
}
