//! The innermost service: it notes when the handler itself begins, for layers around it may wait.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower::Service;

use super::HandlerService;
use crate::delivery::{Begun, Delivery};
use crate::error::BoxError;
use crate::outcome::Outcome;

/// A handler's service that notes the first poll of each call.
#[derive(Clone)]
pub(super) struct Begins(pub(super) HandlerService);

/// A call that has not begun before it is polled.
pub(super) struct Beginning {
    begun: Option<Arc<Begun>>,
    call: <HandlerService as Service<Delivery>>::Future,
}

impl Service<Delivery> for Begins {
    type Response = Outcome;
    type Error = BoxError;
    type Future = Beginning;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, delivery: Delivery) -> Beginning {
        Beginning { begun: delivery.begun.clone(), call: self.0.call(delivery) }
    }
}

impl Future for Beginning {
    type Output = Result<Outcome, BoxError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(begun) = self.begun.take() {
            begun.begin();
        }
        Pin::new(&mut self.call).poll(context)
    }
}
