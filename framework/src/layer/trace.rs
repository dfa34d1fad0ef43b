//! A span for each delivery.

use std::task::{Context, Poll};

use tower::{Layer, Service};
use tracing::instrument::{Instrument, Instrumented};

use crate::delivery::Delivery;

/// Puts each delivery into a `tracing` span named `delivery`, at level `debug`, with the fields
/// `handler`, `position`, `key` and `attempt`: what a handler logs says for which message.
///
/// ```
/// use framework::prelude::*;
/// let app = App::new("bank").layer(Trace::new());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Trace(());

impl Trace {
    /// The layer.
    pub fn new() -> Self {
        Trace(())
    }
}

impl<S> Layer<S> for Trace {
    type Service = TraceService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TraceService { inner }
    }
}

/// The service that [`Trace`] makes.
#[derive(Clone, Debug)]
pub struct TraceService<S> {
    inner: S,
}

impl<S: Service<Delivery>> Service<Delivery> for TraceService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Instrumented<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        let span = tracing::debug_span!(
            target: "endwise::delivery",
            "delivery",
            handler = delivery.handler(),
            position = %delivery.envelope().position,
            key = delivery.envelope().key.as_deref(),
            attempt = delivery.attempt(),
        );
        let call = span.in_scope(|| self.inner.call(delivery));
        call.instrument(span)
    }
}
