//! The app: what a service consists of. `run` says on what it runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tower::{Layer, Service as TowerService};

use crate::broker::Broker;
use crate::delivery::Delivery;
use crate::dependencies::Dependencies;
use crate::error::BoxError;
use crate::failure::RunError;
use crate::handler::{Entry, HandlerService, Handlers, Layers};
use crate::message::Message;
use crate::outcome::Outcome;
use crate::outgoing::Outgoing;
use crate::policy::{Level, Retry};
use crate::schedule::Schedule;
use crate::service::{Service, Setting};
use crate::store::{OpenStore, RenamedType, Renames};
use crate::wiring::Ignored;

/// A service: its name, its handlers, what they depend on, and the layers around them.
///
/// ```
/// use framework::prelude::*;
///
/// #[derive(Message, Serialize, Deserialize)]
/// struct Ping {}
///
/// #[handler]
/// async fn ping(_: Ping) {}
///
/// fn app() -> App {
///     App::new("pinger").layer(Trace::new()).handlers(handlers![ping])
/// }
/// ```
#[derive(Debug)]
#[must_use = "an app does nothing until it is run or started"]
pub struct App {
    pub(crate) name: Arc<str>,
    pub(crate) layers: Layers,
    pub(crate) dependencies: Dependencies,
    pub(crate) entries: Vec<Entry>,
    pub(crate) renames: Renames,
    pub(crate) on_failure: Level,
    pub(crate) schedules: Vec<Schedule>,
    pub(crate) ignored: BTreeMap<Arc<str>, Ignored>,
}

impl App {
    /// A service of that name. The name is part of each message's identity: it stays when the
    /// service is changed. It consists of at most 200 letters, digits, `.`, `_` and `-`.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        App {
            name: name.into(),
            layers: Layers::default(),
            dependencies: Dependencies::default(),
            entries: Vec::new(),
            renames: Renames::default(),
            on_failure: Level::default(),
            schedules: Vec::new(),
            ignored: BTreeMap::new(),
        }
    }

    /// The service's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Puts a layer around every handler, inside the layers that were added before. Each handler
    /// gets its own instance. A layer sees one attempt at one message.
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<HandlerService> + Send + Sync + 'static,
        L::Service: TowerService<Delivery, Response = Outcome> + Clone + Send + Sync + 'static,
        <L::Service as TowerService<Delivery>>::Error: Into<BoxError>,
        <L::Service as TowerService<Delivery>>::Future: Send,
    {
        self.layers.push(layer);
        self
    }

    /// Provides a value that handlers take by `&T`. Provided again, the later one counts: so a
    /// test replaces what `app()` provides.
    pub fn provide<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.dependencies.provide(value);
        self
    }

    /// Provides a shared value, under a trait object's type too: `provide_arc::<dyn Gateway>`.
    pub fn provide_arc<T: ?Sized + Send + Sync + 'static>(mut self, value: Arc<T>) -> Self {
        self.dependencies.provide_arc(value);
        self
    }

    /// Adds handlers. Several handlers of one message each handle it, in the order in which they
    /// were added where they share a state.
    pub fn handlers(mut self, handlers: Handlers) -> Self {
        self.entries.extend(handlers.into_entries());
        self
    }

    /// Sends a message at the times of a cron expression, in UTC, each time once, also across a
    /// restart. If some were missed, it is sent once for them. The schedule is named like the
    /// message's type; for another name, or to say what becomes of missed times, see
    /// [`schedule`](Self::schedule).
    ///
    /// ```
    /// use framework::prelude::*;
    ///
    /// #[derive(Message, Serialize, Deserialize)]
    /// struct NightlyClose {}
    ///
    /// #[handler]
    /// async fn close(_: NightlyClose) {}
    ///
    /// fn app() -> App {
    ///     App::new("bank").every("0 3 * * *", NightlyClose {}).handlers(handlers![close])
    /// }
    /// ```
    pub fn every<M: Message>(
        self,
        cron: impl Into<Arc<str>>,
        message: impl Into<Outgoing<M>>,
    ) -> Self {
        self.schedule(Schedule::new(M::TYPE, cron, message))
    }

    /// Sends the message of that schedule at its times.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedules.push(schedule);
        self
    }

    /// How a failed attempt of any handler is tried again, where neither the handler nor its group
    /// says it. Said twice, the later counts.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.on_failure = self.on_failure.with_retry(retry);
        self
    }

    /// How long an attempt of any handler may take, where neither the handler nor its group says
    /// it; see [`Handlers::timeout`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.on_failure.timeout = Some(timeout);
        self
    }

    /// After how many deaths of the process, while it ran alone, a message is a dead letter, where
    /// neither its handler nor that one's group says it; see [`Handlers::crashes`].
    pub fn crashes(mut self, crashes: u32) -> Self {
        self.on_failure.crashes = Some(crashes);
        self
    }

    /// The handler `old` is called `new` now: what it has left to do in the store is for `new`.
    ///
    /// The start refuses a name that another handler had beside it, as long as the store keeps
    /// deliveries for `old`: that one may have handled their messages itself.
    pub fn renamed(mut self, old: &str, new: &str) -> Self {
        self.renames.handlers.push((old.into(), Some(new.into())));
        self
    }

    /// The handler of that name is gone: what it has left to do in the store is given up.
    pub fn retired(mut self, handler: &str) -> Self {
        self.renames.handlers.push((handler.into(), None));
        self
    }

    /// The state `old` is called `new` now: its values are those of `new`.
    pub fn renamed_state(mut self, old: &str, new: &str) -> Self {
        self.renames.states.push((old.into(), Some(new.into())));
        self
    }

    /// The state of that name is gone: its values stay in the store, unread.
    pub fn retired_state(mut self, state: &str) -> Self {
        self.renames.states.push((state.into(), None));
        self
    }

    /// Ignores messages of these types that come from the topic: they are settled and counted, and
    /// nothing else. Without this, messages of a type that no handler takes are stored and listed,
    /// until a handler takes them or an operator discards them: see
    /// [`DeadLetters::unhandled`](crate::dead_letters::DeadLetters::unhandled). Those that are
    /// stored already are discarded at the start.
    ///
    /// The start refuses a type that a handler takes from that topic.
    ///
    /// ```
    /// use framework::prelude::*;
    ///
    /// #[derive(Message, Serialize, Deserialize)]
    /// #[message(topic = "accounts")]
    /// struct Deposit {}
    ///
    /// #[handler]
    /// async fn deposit(_: Deposit) {}
    ///
    /// fn app() -> App {
    ///     App::new("bank")
    ///         .handlers(handlers![deposit])
    ///         .ignore_types("accounts", ["Opened", "Closed"])
    /// }
    /// ```
    pub fn ignore_types<T: Into<Arc<str>>>(
        mut self,
        topic: &str,
        types: impl IntoIterator<Item = T>,
    ) -> Self {
        let ignored = self.ignored.entry(topic.into()).or_default();
        ignored.types.extend(types.into_iter().map(Into::into));
        self
    }

    /// Ignores all messages of the topic whose type no handler takes, as
    /// [`ignore_types`](Self::ignore_types) does for some: for a topic of many types of which the
    /// service needs a few for good.
    pub fn ignore_other_types(mut self, topic: &str) -> Self {
        self.ignored.entry(topic.into()).or_default().is_all = true;
        self
    }

    /// The type is no longer taken from the topic. What still comes of it is stored and listed, as
    /// all that no handler takes, unless it is [ignored](Self::ignore_types).
    pub fn retired_type(mut self, topic: &str, type_name: &str) -> Self {
        let (topic, old) = (topic.into(), type_name.into());
        self.renames.types.push(RenamedType { topic, old, new: None });
        self
    }

    /// Messages of the topic that are of type `old` go to the handlers of type `new`: what is in the
    /// broker under the old name, and what still comes. What waits for its time under the old name
    /// is replaced and cancelled as one of the new. The store remembers it.
    ///
    /// Only the name in the messages is meant, as after a rename of the Rust type: `new` must be
    /// able to read the bodies of `old`. The other way is to leave the name alone, with
    /// `#[message(type = "old")]` on the renamed Rust type.
    ///
    /// The start refuses a name that a handler takes still: its messages could be handled twice.
    pub fn renamed_type(mut self, topic: &str, old: &str, new: &str) -> Self {
        let (topic, old, new) = (topic.into(), old.into(), Some(new.into()));
        self.renames.types.push(RenamedType { topic, old, new });
        self
    }

    /// Starts the service on that broker and store, and returns a handle to it. Nothing runs if
    /// this fails.
    ///
    /// ```no_run
    /// use framework::broker::embedded::{EmbeddedBroker, EmbeddedOptions};
    /// use framework::prelude::*;
    /// use framework::store::sled::SledStore;
    ///
    /// async fn serve(app: App) -> Result<(), RunError> {
    ///     let broker = EmbeddedBroker::open("data/broker", EmbeddedOptions::default())?;
    ///     let mut service = app.start(broker.clone(), SledStore::new("data/bank")).await?;
    ///     service.ended().await?;
    ///     Ok(broker.close().await?)
    /// }
    /// ```
    pub async fn start(
        self,
        broker: impl Broker,
        store: impl OpenStore + 'static,
    ) -> Result<Service, RunError> {
        self.start_in(Arc::new(broker), Box::new(store), Setting::default()).await
    }

    pub(crate) async fn start_in(
        self,
        broker: Arc<dyn Broker>,
        store: Box<dyn OpenStore>,
        setting: Setting,
    ) -> Result<Service, RunError> {
        Service::start(self, broker, store, setting).await.map_err(RunError::at_start)
    }
}
