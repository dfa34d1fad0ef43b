//! A running service: opened, recovered, started, and stopped in order.

use std::sync::Arc;

use futures::stream::{Stream, TryStreamExt};
use tokio::sync::{Semaphore, watch};

use crate::app::App;
use crate::broker::{Broker, Subscription};
use crate::clock::Clock;
use crate::consume::admit::Admit;
use crate::consume::commit::Committer;
use crate::consume::{Consume, Limits};
use crate::failure::RunError;
use crate::intake::{Intake, Producer, WAITING_MAX};
use crate::queue::Queue;
use crate::relay::Relay;
use crate::start::{catalog, check_found, wire};
use crate::state::{State, StateError};
use crate::store::{OpenStore, Opened, Reader, Recovered, StoreError};
use crate::stream::Key;
use crate::tasks::Tasks;
use crate::wiring::Wiring;

mod counts;
mod supervise;

pub use counts::Counts;
use supervise::{Controls, Role, supervise};

/// How a service is run, beside its app, broker and store.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
}

impl Default for Setting {
    fn default() -> Self {
        Setting { limits: Limits::default(), clock: Clock::system() }
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
    open: watch::Receiver<usize>,
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
    pub(crate) async fn start(
        app: App,
        broker: Arc<dyn Broker>,
        store: Box<dyn OpenStore>,
        setting: Setting,
    ) -> Result<Service, RunError> {
        let wiring = Arc::new(wire(&app)?);
        let Opened { mut store, reader, found } = store.open(Arc::clone(&app.name)).await?;
        let catalog = catalog(&wiring);
        check_found(&found, &catalog, &app.renames)?;
        let mut recovered = store.adopt(catalog, app.renames).await?;

        let consumer = broker.subscribe(subscription(&wiring, &recovered)).await?;
        for lost in consumer.lost() {
            tracing::error!(
                target: "endwise::service", partition = %lost.partition, first = lost.first,
                next = lost.next, "the broker has lost records that were not handled",
            );
        }
        let publisher = broker.publisher().await?;

        let Limits { outbox_max, lanes_max, .. } = setting.limits;
        let unsent = std::mem::take(&mut recovered.outbox);
        let counts = Arc::new(Counts::new(&wiring));
        // What is not limited by the outbox is limited by what is in flight; a record may have
        // many handlers, and each may send many messages.
        let (work, settled) = (Queue::new(QUEUE_MAX), Queue::new(QUEUE_MAX));
        let (rows, arrivals) = (Queue::new(QUEUE_MAX + unsent.len()), Queue::new(WAITING_MAX));
        let open = watch::Sender::new(unsent.len());
        let (stop, end) = (watch::Sender::new(false), watch::Sender::new(false));
        rows.push(unsent)?;

        let mut tasks = Tasks::new();
        let committer = Committer {
            store,
            clock: setting.clock,
            work: work.clone(),
            settled: settled.clone(),
            relay: rows.clone(),
            open: open.clone(),
        };
        tasks.spawn(async move { (Role::Commit, committer.run().await) });
        let relay = Relay {
            publisher,
            rows,
            work: work.clone(),
            open: open.clone(),
            stop: end.subscribe(),
        };
        tasks.spawn(async move { (Role::Relay, relay.run().await) });
        let consume = Consume {
            admit: Admit::new(&recovered),
            wiring: Arc::clone(&wiring),
            consumer,
            reader: Arc::clone(&reader),
            limits: setting.limits,
            decoder: Default::default(),
            lanes: Default::default(),
            ended: Queue::new(lanes_max),
            work: work.clone(),
            settled,
            open: open.subscribe(),
            stop: stop.subscribe(),
            counts: Arc::clone(&counts),
            tasks: Tasks::new(),
            state: Default::default(),
        };
        tasks.spawn(async move { (Role::Consume, consume.run().await) });
        let intake = Intake {
            arrivals: arrivals.clone(),
            work: work.clone(),
            broker,
            open: open.subscribe(),
            outbox_max,
            stop: stop.subscribe(),
        };
        tasks.spawn(async move { (Role::Intake, intake.run().await) });

        let controls = Controls { stop: stop.clone(), end, work };
        let mut supervisor = Tasks::new();
        supervisor.spawn(supervise(tasks, controls));
        tracing::info!(target: "endwise::service", service = &*app.name, "started");
        let places = Arc::new(Semaphore::new(WAITING_MAX));
        Ok(Service {
            name: app.name,
            producer: Producer { arrivals, places, reader: Arc::clone(&reader) },
            reader,
            counts,
            open: open.subscribe(),
            stop,
            supervisor,
        })
    }

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

    /// How many messages are committed and not confirmed by the broker, as it changes.
    pub(crate) fn open(&self) -> watch::Receiver<usize> {
        self.open.clone()
    }

    /// Waits until the service has ended by itself, that is: by an error. Cancellation safe. The
    /// error is told once: after that this says `Ok` at once, and so does [`stop`](Self::stop).
    pub async fn ended(&mut self) -> Result<(), RunError> {
        self.supervisor.ended().await.unwrap_or(Ok(Ok(())))?
    }

    /// Stops the service: nothing more is taken in or fetched, what is in progress is handled and
    /// committed, and the store is closed. What was not begun is handled after the next start.
    pub async fn stop(mut self) -> Result<(), RunError> {
        self.stop.send_replace(true);
        let ended = self.ended().await;
        tracing::info!(target: "endwise::service", service = &*self.name, "stopped");
        ended
    }
}

/// How many states are read at a time.
const PAGE: usize = 1_024;

/// More items than any queue between two stages can hold within the limits: passing it is an
/// error in the framework, and no longer a wait.
const QUEUE_MAX: usize = 1 << 20;

fn decode<S: State>(key: Key, value: &crate::delivery::StateValue) -> Result<(Key, S), ReadError> {
    match crate::state::decode(value) {
        Ok(state) => Ok((key, state)),
        Err(source) => Err(ReadError::State { key, source }),
    }
}

/// What the service reads, from where its store says.
fn subscription(wiring: &Wiring, recovered: &Recovered) -> Subscription {
    let cursors = recovered.cursors.iter();
    Subscription {
        consumer: Arc::clone(&wiring.service),
        topics: wiring.routes.keys().cloned().collect(),
        cursors: cursors.map(|(id, done)| ((**id).clone(), done.next_missing(0))).collect(),
    }
}
