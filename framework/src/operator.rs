//! What an operator asks of a running service: to handle what was given up again, or to let go of
//! it.

use tokio::sync::oneshot;

use crate::queue::Queue;

/// Requests that may wait; one more is refused.
pub(crate) const WAITING_MAX: usize = 1_024;

/// Where a service takes them from.
pub(crate) type Requests = Queue<Request>;

/// What is asked, and whom to tell what came of it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) act: Act,
    /// For each number, once it is durable: whether it was done. `false`: there is no dead letter,
    /// or no invalid message, of that number (any more).
    pub(crate) reply: oneshot::Sender<Vec<bool>>,
}

/// What is to be done, by the numbers of what was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Handle dead letters again, each in its place before those that are held behind it.
    Replay(Vec<u64>),
    /// Give dead letters up: those held behind them go on.
    Discard(Vec<u64>),
    /// Take records off the list of invalid messages.
    DiscardInvalid(Vec<u64>),
}
