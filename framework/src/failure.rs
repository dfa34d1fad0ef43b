//! Why a service ended.

use std::sync::Arc;

use crate::broker::BrokerError;
use crate::consume::Invalid;
use crate::error::BoxError;
use crate::queue::QueueOverflow;
use crate::start::StartError;
use crate::store::{CommitError, How, StoreError};
use crate::stream::Position;
use crate::tasks::TaskDied;

/// Why a service did not start, or stopped.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// It did not start: no message was taken.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A handler failed, panicked or met a message that it cannot read.
    #[error(transparent)]
    Handler(#[from] HandlerStopped),
    /// A record is no message.
    #[error(
        "the service {service:?} stopped at an invalid message in {record}: {reason}; nothing of \
         it was handled, and it is not acknowledged"
    )]
    Invalid {
        /// The service.
        service: Arc<str>,
        /// Which record.
        record: Box<str>,
        /// What is wrong with it.
        reason: Invalid,
    },
    /// A commit failed, or the store is owned by somebody else.
    #[error("the service stopped: {0}")]
    Commit(#[from] CommitError),
    /// The store failed.
    #[error("the service stopped: {0}")]
    Store(#[from] StoreError),
    /// The broker failed.
    #[error("the service stopped: {0}")]
    Broker(#[from] BrokerError),
    /// A part of the framework died.
    #[error(transparent)]
    Task(#[from] TaskDied),
    /// A part of the framework did not keep to its limits.
    #[error(transparent)]
    Queue(#[from] QueueOverflow),
    /// The signals that stop a service cannot be listened to.
    #[error("cannot listen for the signals that stop the service: {0}")]
    Signals(#[source] std::io::Error),
    /// The store says that a message is not settled, which nothing here handles.
    #[error(
        "the store says that {position} is not settled, and nothing of this service is handling \
         it; it must have been changed by another process: stop that one, and start this service \
         again"
    )]
    NotSettled {
        /// The message.
        position: Box<Position>,
    },
    /// The store refused an outcome that no other owner can have made: it was written to from
    /// outside.
    #[error(
        "the store says that handler {handler:?} has nothing to do for {position}; it must have \
         been changed by another process: stop that one, and start this service again"
    )]
    NotPending {
        /// The handler.
        handler: Arc<str>,
        /// The message.
        position: Box<Position>,
    },
}

/// What it says to a person, for this is what a `main` that returns it prints.
impl std::fmt::Debug for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// A handler could not handle a message: the service stops, and the record stays unacknowledged.
///
/// Nothing of the failed attempt has taken effect. Once the cause is mended, starting the service
/// again tries the message again.
#[derive(Debug, thiserror::Error)]
#[error(
    "handler {handler:?} {how} at message {position}{}: {cause}; nothing of it took effect and it \
     is not acknowledged: mend the cause and start the service again",
    key.as_ref().map(|key| format!(" of key {key:?}")).unwrap_or_default()
)]
#[non_exhaustive]
pub struct HandlerStopped {
    /// The handler.
    pub handler: Arc<str>,
    /// How it ended.
    pub how: How,
    /// The message.
    pub position: Box<Position>,
    /// The message's key.
    pub key: Option<Arc<str>>,
    /// The error, with all that it was caused by.
    pub cause: Cause,
}

/// An error with its whole chain of sources as one line.
#[derive(Debug)]
pub struct Cause(pub BoxError);

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
