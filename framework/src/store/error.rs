//! Why a store fails: for the one who starts the service or keeps its disk.

use std::sync::Arc;

use super::LimitError;
use crate::directory::Holder;

/// Why a store cannot be opened, read or written.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody has it open, and has not closed it within ten seconds.
    #[error("the store {place} is in use by {by}: {}", by.remedy())]
    Locked {
        /// Where.
        place: Arc<str>,
        /// Who.
        by: Holder,
    },
    /// Its service has ended, and nothing is read any more.
    #[error("the store is closed: its service has ended")]
    Closed,
    /// It was made by another version or for another service.
    #[error("the store {place} cannot be used: {reason}; {remedy}")]
    Refused {
        /// Where.
        place: Arc<str>,
        /// Why.
        reason: Arc<str>,
        /// What to do.
        remedy: Arc<str>,
    },
    /// Reading or writing failed, or what was read is damaged. Nothing is written any more.
    #[error("the store failed: {0}")]
    Failed(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// A failure with its source.
    pub(crate) fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        StoreError::Failed(Arc::from(error.into()))
    }
}

/// Why a batch is not durable.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Nothing was written: there is no room now. The same batch, by its id, may be tried again;
    /// the store may have decided on its positions already and takes no other one before it.
    #[error("the store has no room: {0}")]
    NoRoom(Arc<str>),
    /// Nothing was written: the batch holds what no store takes. The store goes on without it.
    #[error("the store cannot take this: {0}")]
    Limit(#[from] LimitError),
    /// The store belongs to another owner now. Nothing was written, and nothing can be.
    #[error("the store is owned by another instance now: {0}")]
    Fenced(Arc<str>),
    /// The connection was lost inside the commit: ask [`Store::resolve`](super::Store::resolve)(super::Store::resolve).
    #[error("whether commit {0} happened is unknown")]
    Unknown(u64),
    /// Writing or syncing failed: the store is poisoned, and a sync is never tried twice.
    #[error(transparent)]
    Failed(#[from] StoreError),
}
