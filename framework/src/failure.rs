//! Why a service ended.

use std::sync::Arc;

use crate::broker::BrokerError;
use crate::config::ConfigError;
use crate::error::{BoxError, is_mark};
use crate::queue::QueueOverflow;
use crate::run::FitError;
use crate::service::Unsettled;
use crate::start::StartError;
use crate::store::{CommitError, StoreError};
use crate::stream::Position;
use crate::tasks::TaskDied;

/// Why a service did not start, or stopped.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// It did not start: no message was taken.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The store cannot be opened: no message was taken.
    #[error("cannot start: {0}")]
    NoStore(#[source] StoreError),
    /// The broker cannot be opened or joined: no message was taken.
    #[error("cannot start: {0}")]
    NoBroker(#[source] BrokerError),
    /// A message was whole when it came, and is not what its sender committed any more.
    #[error(
        "the service stopped: the message {position} was whole when it came, and its digest does \
         not fit any more: the memory or the store of this machine is damaged; nothing of it was \
         handled"
    )]
    Changed {
        /// The message.
        position: Box<Position>,
    },
    /// The directories of the services and of the broker do not belong together: none was started.
    #[error(transparent)]
    Fit(#[from] FitError),
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
    /// The configuration cannot be used: no service was started.
    #[error(transparent)]
    Config(Arc<ConfigError>),
    /// The signals that stop a service cannot be listened to.
    #[error("cannot listen for the signals that stop the service: {0}")]
    Signals(#[source] Arc<std::io::Error>),
    /// What was served beside the services failed: see [`Running::serve`](crate::Running::serve).
    #[error("the services were stopped, because what was served beside them failed: {0}")]
    Serving(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// Settling would wait for ever: it names for whom and what. The services go on.
    #[error("{0}")]
    Unsettled(Box<Unsettled>),
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

impl RunError {
    /// The same of a start: nothing has stopped that has never run.
    pub(crate) fn at_start(self) -> Self {
        match self {
            RunError::Store(error) => RunError::NoStore(error),
            RunError::Broker(error) => RunError::NoBroker(error),
            error => error,
        }
    }
}

impl From<ConfigError> for RunError {
    fn from(error: ConfigError) -> Self {
        RunError::Config(Arc::new(error))
    }
}

/// What it says to a person, for this is what a `main` that returns it prints.
impl std::fmt::Debug for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// An error with its whole chain of sources as one line.
#[derive(Debug)]
pub struct Cause(pub BoxError);

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            if !is_mark(error) {
                write!(f, ": {error}")?;
            }
            source = error.source();
        }
        Ok(())
    }
}
