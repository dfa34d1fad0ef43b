//! A group of handlers, with the layers that they share.

use std::time::Duration;

use tower::{Layer, Service};

use super::begins::Begins;
use super::{Definition, Handler, HandlerService, Layers, Spec};
use crate::delivery::Delivery;
use crate::dependencies::{Dependencies, MissingDependency};
use crate::error::BoxError;
use crate::outcome::Outcome;
use crate::policy::{Level, OnFailure, Retry};

/// A group of handlers: what [`handlers!`](crate::handler::handlers) makes.
///
/// ```
/// use framework::prelude::*;
/// use std::time::Duration;
/// use tower::limit::GlobalConcurrencyLimitLayer;
/// use tower::timeout::TimeoutLayer;
///
/// # #[derive(Message, Serialize, Deserialize)]
/// # struct Deposit {}
/// # #[derive(Message, Serialize, Deserialize)]
/// # struct Withdraw {}
/// #[handler]
/// async fn deposit(cmd: Deposit) {}
///
/// #[handler]
/// async fn withdraw(cmd: Withdraw) {}
///
/// // The timeout is around `withdraw` alone, the limit around both.
/// let handlers = handlers![deposit, withdraw.layer(TimeoutLayer::new(Duration::from_secs(5)))]
///     .layer(GlobalConcurrencyLimitLayer::new(64));
/// assert_eq!(handlers.specs().map(|spec| spec.name).collect::<Vec<_>>(), ["deposit", "withdraw"]);
/// ```
///
/// Levels nest: a layer of the app is around those of a group, which are around those of a
/// handler. On each level the first added is the outermost. Each handler gets its own instance
/// of a layer's service: `ConcurrencyLimitLayer` limits each handler of the group for itself,
/// `GlobalConcurrencyLimitLayer` all of them together.
///
/// [`retry`](Self::retry), [`timeout`](Self::timeout) and [`crashes`](Self::crashes) nest too:
/// what a handler does not say is said by its group, then by the app. Behind a single handler in
/// the list, `handlers![withdraw.timeout(..)]`, they are the handler's own, and replace what stands
/// in its `#[handler(..)]`.
#[derive(Debug, Default)]
#[must_use = "handlers do nothing until they are given to an App"]
pub struct Handlers {
    entries: Vec<Entry>,
    layers: Layers,
    on_failure: Level,
    of: Of,
}

/// Of what a group is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Of {
    /// Of groups: what is said of it is said where they say nothing.
    #[default]
    Groups,
    /// Of one handler: what is said of it is said of that.
    Handler,
}

/// A handler with its layers.
#[derive(Debug)]
pub(crate) struct Entry {
    definition: Definition,
    layers: Layers,
    on_failure: Level,
}

impl Handlers {
    /// A group without handlers.
    pub fn new() -> Self {
        Handlers::default()
    }

    /// A group of one handler.
    pub fn of(handler: impl Handler) -> Self {
        let definition = handler.define();
        let on_failure = definition.spec().level();
        let entry = Entry { definition, layers: Layers::default(), on_failure };
        Handlers { entries: vec![entry], of: Of::Handler, ..Handlers::default() }
    }

    /// Puts a layer around each handler of the group, inside the layers that the group has.
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<HandlerService> + Send + Sync + 'static,
        L::Service: Service<Delivery, Response = Outcome> + Clone + Send + Sync + 'static,
        <L::Service as Service<Delivery>>::Error: Into<BoxError>,
        <L::Service as Service<Delivery>>::Future: Send,
    {
        self.layers.push(layer);
        self
    }

    /// How a failed attempt of its handlers is tried again, where they do not say it themselves.
    /// Said twice, the later counts.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.on_failure = self.on_failure.with_retry(retry);
        self
    }

    /// How long an attempt of its handlers may take, where they do not say it themselves: more
    /// than zero. One that takes longer is dropped where it is, and has failed; unless somebody
    /// says it, 5 minutes.
    ///
    /// Only what awaits can be dropped: one that computes without end runs on.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.on_failure.timeout = Some(timeout);
        self
    }

    /// After how many deaths of the process, while it ran alone, a message is a dead letter, where
    /// its handlers do not say it themselves: at least 1; unless somebody says it, 3.
    pub fn crashes(mut self, crashes: u32) -> Self {
        self.on_failure.crashes = Some(crashes);
        self
    }

    /// A group of these handlers and those. What is layered on it later goes around all of
    /// them, outside the layers that each of the two groups has.
    pub fn and(self, other: Handlers) -> Self {
        let mut entries = self.into_entries();
        entries.extend(other.into_entries());
        Handlers { entries, ..Handlers::default() }
    }

    /// What its handlers are.
    pub fn specs(&self) -> impl Iterator<Item = &Spec> {
        self.entries.iter().map(Entry::spec)
    }

    /// Its handlers, each with all its layers.
    pub(crate) fn into_entries(self) -> Vec<Entry> {
        let Handlers { mut entries, layers: outer, on_failure, of } = self;
        for entry in &mut entries {
            let inner = std::mem::replace(&mut entry.layers, outer.clone());
            entry.layers.extend(inner);
            let said = std::mem::take(&mut entry.on_failure);
            entry.on_failure = match of {
                Of::Groups => said.or(&on_failure),
                Of::Handler => on_failure.clone().or(&said),
            };
        }
        entries
    }
}

impl Entry {
    pub(crate) fn spec(&self) -> &Spec {
        self.definition.spec()
    }

    pub(crate) fn key_of(&self) -> crate::wiring::KeyOf {
        self.definition.key_of()
    }

    /// What happens on failure, where nothing else is said: what the app says.
    pub(crate) fn on_failure(&self, app: &Level) -> OnFailure {
        self.on_failure.clone().or(app).complete(self.spec().gap)
    }

    /// Whether there are layers around it.
    pub(crate) fn is_layered(&self, app: &Layers) -> bool {
        !(self.layers.is_empty() && app.is_empty())
    }

    /// The handler's service within its own layers, within the app's.
    pub(crate) fn build(
        &self,
        dependencies: &Dependencies,
        app: &Layers,
    ) -> Result<HandlerService, MissingDependency> {
        let service = self.definition.build(dependencies)?;
        if !self.is_layered(app) {
            return Ok(service);
        }
        Ok(app.wrap(self.layers.wrap(HandlerService::new(Begins(service)))))
    }
}
