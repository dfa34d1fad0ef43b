//! A group of handlers, with the layers that they share.

use tower::{Layer, Service};

use super::{Definition, Handler, HandlerService, Layers, Spec};
use crate::delivery::Delivery;
use crate::dependencies::{Dependencies, MissingDependency};
use crate::error::BoxError;
use crate::outcome::Outcome;

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
#[derive(Debug, Default)]
#[must_use = "handlers do nothing until they are given to an App"]
pub struct Handlers {
    entries: Vec<Entry>,
    layers: Layers,
}

/// A handler with its layers.
#[derive(Debug)]
pub(crate) struct Entry {
    definition: Definition,
    layers: Layers,
}

impl Handlers {
    /// A group without handlers.
    pub fn new() -> Self {
        Handlers::default()
    }

    /// A group of one handler.
    pub fn of(handler: impl Handler) -> Self {
        let entry = Entry { definition: handler.define(), layers: Layers::default() };
        Handlers { entries: vec![entry], layers: Layers::default() }
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

    /// A group of these handlers and those. What is layered on it later goes around all of
    /// them, outside the layers that each of the two groups has.
    pub fn and(self, other: Handlers) -> Self {
        let mut entries = self.into_entries();
        entries.extend(other.into_entries());
        Handlers { entries, layers: Layers::default() }
    }

    /// What its handlers are.
    pub fn specs(&self) -> impl Iterator<Item = &Spec> {
        self.entries.iter().map(Entry::spec)
    }

    /// Its handlers, each with all its layers.
    pub(crate) fn into_entries(self) -> Vec<Entry> {
        let Handlers { mut entries, layers: outer } = self;
        for entry in &mut entries {
            let inner = std::mem::replace(&mut entry.layers, outer.clone());
            entry.layers.extend(inner);
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

    /// The handler's service within its own layers, within the app's.
    pub(crate) fn build(
        &self,
        dependencies: &Dependencies,
        app: &Layers,
    ) -> Result<HandlerService, MissingDependency> {
        let service = self.definition.build(dependencies)?;
        Ok(app.wrap(self.layers.wrap(service)))
    }
}
