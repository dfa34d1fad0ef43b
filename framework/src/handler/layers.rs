//! Layers, erased: what wraps a handler's service, on any level.

use std::fmt;
use std::sync::Arc;

use tower::{Layer, Service, ServiceExt};

use super::HandlerService;
use crate::delivery::Delivery;
use crate::error::BoxError;
use crate::outcome::Outcome;

type Wrap = dyn Fn(HandlerService) -> HandlerService + Send + Sync;

/// Layers of one level; the first added is the outermost.
#[derive(Clone, Default)]
pub(crate) struct Layers(Vec<Arc<Wrap>>);

impl Layers {
    /// Adds a layer inside those that are there.
    pub(crate) fn push<L>(&mut self, layer: L)
    where
        L: Layer<HandlerService> + Send + Sync + 'static,
        L::Service: Service<Delivery, Response = Outcome> + Clone + Send + Sync + 'static,
        <L::Service as Service<Delivery>>::Error: Into<BoxError>,
        <L::Service as Service<Delivery>>::Future: Send,
    {
        self.0.push(Arc::new(move |inner| {
            HandlerService::new(layer.layer(inner).map_err(Into::into))
        }));
    }

    /// Adds the layers of a level further in.
    pub(crate) fn extend(&mut self, inner: Layers) {
        self.0.extend(inner.0);
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The service within these layers, each of which makes a new instance for it.
    pub(crate) fn wrap(&self, service: HandlerService) -> HandlerService {
        self.0.iter().rev().fold(service, |inner, wrap| wrap(inner))
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} layers", self.0.len())
    }
}
