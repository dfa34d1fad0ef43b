//! A handle to a running service: what its program, an HTTP server or a health route asks of it.

use std::sync::Arc;

use futures::stream::{Stream, TryStreamExt};

use super::Counts;
use crate::broker::status::BrokerStatus;
use crate::dead_letters::DeadLetters;
use crate::intake::Producer;
use crate::operator::{Desk, OperatorError};
use crate::raw_states::RawStates;
use crate::sources::Sources;
use crate::state::{State, StateError};
use crate::status::{Readiness, Status};
use crate::store::{Reader, StoreError};
use crate::stream::Key;
use crate::timers::Timers;
use crate::vitals::Vitals;

/// A handle to a running service, for whoever sends to it, reads it or looks after it: the routes
/// of an HTTP server, a health check, a task. A clone is the same handle.
///
/// It keeps neither the service running nor its store open. Once the service has ended, what has
/// to be read or sent is answered with an error that says so ([`ReadError::Ended`],
/// [`IntakeError::Ended`](crate::IntakeError::Ended), [`OperatorError::Ended`]), and
/// [`ready`](Self::ready) says it too.
///
/// ```no_run
/// use framework::{IntakeError, ServiceHandle};
/// # use framework::prelude::*;
/// # #[derive(Message, Serialize, Deserialize)]
/// # struct Ping {}
///
/// async fn ping(service: ServiceHandle) -> Result<(), IntakeError> {
///     if !service.ready().is_ready() {
///         println!("{}: {}", service.name(), service.ready());
///     }
///     service.producer().send(Ping {}).await
/// }
/// ```
#[derive(Clone, Debug)]
pub struct ServiceHandle {
    pub(super) name: Arc<str>,
    pub(super) producer: Producer,
    pub(super) reader: Arc<dyn Reader>,
    pub(super) counts: Arc<Counts>,
    pub(super) vitals: Arc<Vitals>,
    pub(super) desk: Arc<Desk>,
}

/// A state could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The service has ended: nothing more is read.
    #[error("the service has ended: read again when it runs")]
    Ended,
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// The stored value is not what the type expects.
    #[error("the state of key {key:?} cannot be read: {source}")]
    State {
        /// The key.
        key: Key,
        /// What is wrong.
        source: StateError,
    },
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Closed => ReadError::Ended,
            error => ReadError::Store(error),
        }
    }
}

impl ServiceHandle {
    /// The service's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A way to send messages in from outside.
    pub fn producer(&self) -> Producer {
        self.producer.clone()
    }

    /// The state of a key, as it is durable now; `None` if it has none.
    pub async fn state<S: State>(&self, key: &str) -> Result<Option<S>, ReadError> {
        let key: Key = key.into();
        let found = self.reader.states(vec![(S::NAME.into(), Arc::clone(&key))]).await?;
        let value = found.into_iter().next().and_then(|found| found.value);
        value.map(|value| decode(key, &value).map(|(_, state)| state)).transpose()
    }

    /// All states of a type in key order, as they are durable when each is reached.
    pub fn states<S: State>(&self) -> impl Stream<Item = Result<(Key, S), ReadError>> + Send + '_ {
        let pages =
            futures::stream::try_unfold(Some(None), move |after: Option<Option<Key>>| async move {
                let Some(after) = after else { return Ok(None) };
                let page = self.reader.scan(S::NAME.into(), after, PAGE).await?;
                let next = page.last().map(|(key, _)| Some(Arc::clone(key)));
                let states = page.into_iter().map(|(key, value)| decode(key, &value));
                let states = futures::stream::iter(states.collect::<Vec<_>>());
                Ok::<_, ReadError>(next.map(|next| (states, Some(next))))
            });
        pages.try_flatten()
    }

    /// How many messages this service has given a position, ever, by topic: what it has accepted
    /// from outside and what its handlers have sent, as its store says.
    pub async fn sent(&self) -> Result<Vec<(Arc<str>, u64)>, ReadError> {
        Ok(self.reader.sent().await?)
    }

    /// What the service has done since it was started.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What it could not handle: to be looked at, and replayed or discarded.
    pub fn dead_letters(&self) -> DeadLetters {
        DeadLetters { desk: Arc::clone(&self.desk) }
    }

    /// Takes the holes of a stream for lost: sequences that never came, below the highest that did.
    /// The remedy for a stream of which nothing more is taken ([`Reason::StreamFull`]). What comes
    /// of them later counts as a copy. `false` if nothing was ever received of a stream of that
    /// name (`SERVICE/STORE/EPOCH/TOPIC/SLOT`, as the status says it).
    ///
    /// [`Reason::StreamFull`]: crate::status::Reason::StreamFull
    pub async fn accept_lost(&self, stream: &str) -> Result<bool, OperatorError> {
        self.desk.accept_lost(stream).await
    }

    /// Its states as they are stored, whatever their type: to be looked at, set and removed.
    pub fn raw_states(&self) -> RawStates {
        RawStates { desk: Arc::clone(&self.desk) }
    }

    /// What waits for its time: to be looked at, and cancelled.
    pub fn timers(&self) -> Timers {
        Timers { desk: Arc::clone(&self.desk) }
    }

    /// Who sends numbered messages into it: to be looked at, and retired.
    pub fn sources(&self) -> Sources {
        Sources { desk: Arc::clone(&self.desk) }
    }

    /// Whether it takes messages in and handles them now, or why not.
    pub fn ready(&self) -> Readiness {
        self.desk.ready()
    }

    /// How it is doing: what its store keeps, and what it has done since it was started.
    pub async fn status(&self) -> Result<Status, OperatorError> {
        self.desk.status().await
    }

    /// How its broker is doing: topics, who reads them and how far behind, disk; `None` if it does
    /// not tell.
    pub fn broker_status(&self) -> Option<BrokerStatus> {
        self.desk.broker_status()
    }
}

/// How many states are read at a time.
const PAGE: usize = 1_024;

fn decode<S: State>(key: Key, value: &crate::delivery::StateValue) -> Result<(Key, S), ReadError> {
    match crate::state::decode(value) {
        Ok(state) => Ok((key, state)),
        Err(source) => Err(ReadError::State { key, source }),
    }
}
