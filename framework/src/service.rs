//! A running service: opened, recovered, started, and stopped in order.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{Stream, TryStreamExt};
use tokio::sync::watch;

use crate::broker::status::BrokerStatus;
use crate::clock::Clock;
use crate::config::Config;
use crate::dead_letters::DeadLetters;
use crate::due::Due;
use crate::failure::RunError;
use crate::intake::Producer;
use crate::limits::Limits;
use crate::message::json::Sampling;
use crate::operator::{Desk, OperatorError};
use crate::state::{State, StateError};
use crate::status::{Readiness, Status};
use crate::store::{Reader, StoreError};
use crate::stream::Key;
use crate::tasks::Tasks;
use crate::vitals::Vitals;

mod begin;
mod counts;
mod start;
mod supervise;
mod unhandled;

pub use counts::Counts;
pub(crate) use start::Opening;

/// How a service is run, beside its app, broker and store.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    /// Where the jitter of retries comes from.
    pub(crate) seed: u64,
    /// How long what is in progress may take once the service is told to stop.
    pub(crate) drain: Duration,
    /// Which values that are written are read back at once.
    pub(crate) sampling: Sampling,
}

impl Setting {
    /// On tokio's time, from `start_ms` since 1970, with the same random numbers each time.
    #[cfg(test)]
    pub(crate) fn in_test(start_ms: u64) -> Self {
        Setting { clock: Clock::fixed(start_ms), seed: 1, ..Setting::default() }
    }
}

impl Default for Setting {
    fn default() -> Self {
        Config::default().setting()
    }
}

/// A handle to a running service. Dropping it ends the service where it is, as a crash would:
/// nothing is lost, and what was in progress is done again after the next start.
#[derive(Debug)]
pub struct Service {
    name: Arc<str>,
    producer: Producer,
    reader: Arc<dyn Reader>,
    counts: Arc<Counts>,
    vitals: Arc<Vitals>,
    desk: Arc<Desk>,
    open: watch::Receiver<usize>,
    due: Due,
    stop: watch::Sender<bool>,
    supervisor: Tasks<Result<(), RunError>>,
}

/// A state could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored value is not what the type expects.
    #[error("the state of key {key:?} cannot be read: {source}")]
    State {
        /// The key.
        key: Key,
        /// What is wrong.
        source: StateError,
    },
}

impl Service {
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

    /// How many messages are committed and not confirmed by the broker, as it changes.
    pub(crate) fn open(&self) -> watch::Receiver<usize> {
        self.open.clone()
    }

    /// Changes with each commit.
    #[cfg(test)]
    pub(crate) fn commits(&self) -> watch::Receiver<crate::store::Totals> {
        self.vitals.totals.subscribe()
    }

    /// How many lanes go on by themselves, as it changes.
    pub(crate) fn live(&self) -> watch::Receiver<usize> {
        self.vitals.live.subscribe()
    }

    /// When the next message is to be sent that waits for its time.
    pub(crate) fn due(&self) -> &Due {
        &self.due
    }

    /// Waits until the service has ended by itself, that is: by an error. Cancellation safe. The
    /// error is told once: after that this says `Ok` at once, and so does [`stop`](Self::stop).
    pub async fn ended(&mut self) -> Result<(), RunError> {
        self.supervisor.ended().await.unwrap_or(Ok(Ok(())))?
    }

    /// Tells the service to stop, without waiting for it.
    pub(crate) fn begin_stop(&self) {
        self.vitals.stopping.set(true);
        self.stop.send_replace(true);
    }

    /// Stops the service: nothing more is taken in or fetched, what is in progress is handled and
    /// committed, and the store is closed. What was not begun is handled after the next start.
    pub async fn stop(mut self) -> Result<(), RunError> {
        self.begin_stop();
        let ended = self.ended().await;
        tracing::info!(target: "endwise::service", service = &*self.name, "stopped");
        ended
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
