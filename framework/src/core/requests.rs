//! Requests of an operator, and their replies.

use crate::ids::DeliveryId;

/// A question, or something to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Try a dead letter again, in its place; late, if its key has gone on without it.
    Replay(DeliveryId),
    /// Give up a dead letter for good.
    Discard(DeliveryId),
}

/// The answer. It goes out only once what it rests on is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Done,
    /// The delivery is no dead letter: it waits for its turn or its next attempt, or runs.
    NotDead,
    /// There is no such delivery.
    Missing,
}
