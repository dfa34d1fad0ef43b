//! What an operator asks of a running service: to handle what was given up again, or to let go of
//! it.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::broker::BrokerError;
use crate::queue::Queue;
use crate::store::{StateSet, StoreError};

mod desk;

pub(crate) use desk::{Desk, Live};

/// Requests that may wait; one more is refused.
pub(crate) const WAITING_MAX: usize = 1_024;

/// Where a service takes them from.
pub(crate) type Requests = Queue<Request>;

/// What is asked, and whom to tell what came of it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) act: Act,
    /// For each number, once it is durable: what became of it.
    pub(crate) reply: oneshot::Sender<Vec<Fate>>,
}

/// What became of what was asked for one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was done.
    Done,
    /// There is nothing of that number (any more).
    Missing,
    /// It was not done, for this reason.
    Refused(String),
}

impl Fate {
    /// That of what was done, or was not there.
    pub(crate) fn of(is_done: bool) -> Self {
        if is_done { Fate::Done } else { Fate::Missing }
    }
}

/// What is to be done, nearly always by the numbers of what was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Handle dead letters again, each in its place before those that are held behind it.
    Replay(Vec<u64>),
    /// Give dead letters up: those held behind them go on.
    Discard(Vec<u64>),
    /// Decode records of the list of invalid messages again: those that are messages now leave it.
    ReplayInvalid(Vec<u64>),
    /// Take records off the list of invalid messages.
    DiscardInvalid(Vec<u64>),
    /// Take messages off the list of those that no handler takes.
    DiscardUnhandled(Vec<u64>),
    /// Take the holes of a stream, by its name, for lost. One answer: whether there is such a
    /// stream.
    AcceptLost(String),
    /// Cancel what waits for its time.
    CancelTimers(Vec<u64>),
    /// Set a state or remove it: one answer. `false`: it has another version than is expected, or
    /// is not there to be removed.
    SetState(Box<StateSet>),
    /// Forget an intake source, and which numbers it has sent. One answer.
    RetireSource(Arc<str>),
}

/// Carries out what an operator asks: a running service, or a store that no service has open.
///
/// An implementer guarantees: what it answers is durable, one answer for each number, in their
/// order.
#[async_trait]
pub(crate) trait Operate: std::fmt::Debug + Send + Sync {
    /// Does it; for each number, what became of it.
    async fn act(&self, act: Act) -> Result<Vec<Fate>, OperatorError>;
}

/// An operator's question or request was not answered.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// The service has ended or is ending. Whether it was done is seen after its next start.
    #[error("the service has ended: ask again when it runs")]
    Ended,
    /// Too many requests wait already.
    #[error("{max} requests wait already: await those first")]
    Busy {
        /// How many may wait.
        max: usize,
    },
    /// Only a running service can do it: its broker may still have what is missing, and its program
    /// alone decodes a record.
    #[error("only a running service can do that: start it, and ask again")]
    NotRunning,
    /// It was asked for something that cannot be done. The text says what, and what to do.
    #[error("{why}")]
    Refused {
        /// Why.
        why: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// The broker did not do it.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

impl From<StoreError> for OperatorError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Closed => OperatorError::Ended,
            error => OperatorError::Store(error),
        }
    }
}

impl OperatorError {
    pub(crate) fn refused(why: impl Into<String>) -> Self {
        OperatorError::Refused { why: why.into() }
    }
}

#[async_trait]
impl Operate for Requests {
    async fn act(&self, act: Act) -> Result<Vec<Fate>, OperatorError> {
        let (reply, answer) = oneshot::channel();
        self.offer(Request { act, reply })
            .map_err(|full| OperatorError::Busy { max: full.limit })?;
        // Whoever drops the request without an answer has ended.
        answer.await.map_err(|_| OperatorError::Ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_are_answered_refused_or_told_of_the_end() {
        let requests = Requests::new(1);
        let asked = tokio::spawn({
            let requests = requests.clone();
            async move { requests.act(Act::Replay(vec![7])).await }
        });
        let request = requests.take(1).await.remove(0);
        assert_eq!(request.act, Act::Replay(vec![7]));
        request.reply.send(vec![Fate::Done]).unwrap();
        assert_eq!(asked.await.unwrap().unwrap(), [Fate::Done]);

        let waiting = tokio::spawn({
            let requests = requests.clone();
            async move { requests.act(Act::Discard(vec![8])).await }
        });
        tokio::task::yield_now().await;
        let full = requests.act(Act::Discard(vec![9])).await;
        assert!(matches!(full, Err(OperatorError::Busy { max: 1 })), "{full:?}");
        requests.close();
        assert!(matches!(waiting.await.unwrap(), Err(OperatorError::Ended)));
        let late = requests.act(Act::Replay(vec![1])).await;
        assert!(matches!(late, Err(OperatorError::Ended)), "{late:?}");
    }
}
