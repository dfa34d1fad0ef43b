//! Why a message from outside is not taken in: for the one who sends it.

use crate::outgoing::SendError;
use crate::schedule::EVERY;
use crate::store::StoreError;
use crate::stream::KeyTooLong;

/// A message from outside was not taken in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntakeError {
    /// The service has ended or is ending. Whether the message is durable is not known if it was
    /// waited for at that moment; `send_from` and `send_once` can safely send it again.
    #[error(
        "the service has ended: send again when it runs (with send_from or send_once, to be safe)"
    )]
    Ended,
    /// It was called by a handler.
    #[error(
        "a handler cannot use a producer: what it sends there would not commit with its effect; \
         return the message, or send it through `&mut Outbox`"
    )]
    InHandler,
    /// The number has none above it, which the source would need next.
    #[error("a message's number at its source must be below {}", u64::MAX)]
    Number,
    /// The source's name is too long.
    #[error("the name of a source: {0}")]
    Source(#[from] KeyTooLong),
    /// The source's name is a schedule's.
    #[error("{name:?} cannot name a source: names that begin with {EVERY:?} are schedules'")]
    Reserved {
        /// The name.
        name: String,
    },
    /// Another message was sent under the id: this one was not taken in.
    #[error(
        "another message was sent under the id {id:?} of {source_name:?}: send this one under an \
         id of its own"
    )]
    Differs {
        /// Whose id it is.
        source_name: String,
        /// The id.
        id: String,
    },
    /// An id is too long.
    #[error("an id has {bytes} bytes, more than {max}: send a hash of it")]
    Id {
        /// Its bytes.
        bytes: usize,
        /// How many it may have.
        max: usize,
    },
    /// As many ids are remembered as may be.
    #[error(
        "{max} ids are remembered (limits.ids_max): try again when the time of some is over \
         (limits.ids_age_max), or raise the limit"
    )]
    Ids {
        /// How many may be.
        max: u64,
    },
    /// There are as many sources as there may be.
    #[error(
        "{max} sources are remembered, and {source_name:?} is none of them: retire those that send \
         no more (`endwise sources retire`, Sources::retire)"
    )]
    Sources {
        /// The source.
        source_name: String,
        /// How many there may be.
        max: usize,
    },
    /// Too many messages wait to be taken in.
    #[error("{max} messages wait to be taken in: await those sends first")]
    Busy {
        /// How many may wait.
        max: usize,
    },
    /// The message cannot be sent.
    #[error(transparent)]
    Message(#[from] SendError),
    /// A message of a stream cannot be sent. Those before it are durable.
    #[error("the message with number {number}: {source}")]
    Numbered {
        /// Its number at its source.
        number: u64,
        /// What is wrong with it.
        source: SendError,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for IntakeError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Closed => IntakeError::Ended,
            error => IntakeError::Store(error),
        }
    }
}
