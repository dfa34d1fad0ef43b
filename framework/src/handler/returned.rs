//! What a handler returns: something to send, or a `Result` of it.

use crate::error::{BoxError, HandlerError};
use crate::outgoing::{Outbox, Sends};

/// What a handler returned, on its way into the outbox.
///
/// A `Result` has the method itself and everything else has it by [`ReturnSends`], so that the
/// compiler, which prefers a type's own methods, never doubts which is meant and can say which
/// part of a `Result` it is that cannot be sent.
#[derive(Debug)]
pub struct Return<T>(pub T);

impl<T, E> Return<Result<T, E>> {
    /// Puts what there is to send into the outbox, or says why the handler failed.
    pub fn send_to(self, outbox: &mut Outbox) -> Result<(), BoxError>
    where
        T: Sends,
        E: HandlerFailure,
    {
        let sends = self.0.map_err(|error| error.into_handler_error().into_boxed())?;
        sends.send_to(outbox);
        Ok(())
    }

    /// [`send_to`](Self::send_to) by the type alone: its mistakes are shown at the type.
    pub fn sender() -> fn(Self, &mut Outbox) -> Result<(), BoxError>
    where
        T: Sends,
        E: HandlerFailure,
    {
        Self::send_to
    }
}

/// What a handler returned that is no `Result`.
pub trait ReturnSends<T> {
    /// Puts what there is to send into the outbox.
    fn send_to(self, outbox: &mut Outbox) -> Result<(), BoxError>
    where
        T: Sends;

    /// [`send_to`](Self::send_to) by the type alone: its mistakes are shown at the type.
    fn sender() -> fn(Self, &mut Outbox) -> Result<(), BoxError>
    where
        Self: Sized,
        T: Sends,
    {
        Self::send_to
    }
}

impl<T> ReturnSends<T> for Return<T> {
    fn send_to(self, outbox: &mut Outbox) -> Result<(), BoxError>
    where
        T: Sends,
    {
        self.0.send_to(outbox);
        Ok(())
    }
}

/// The error of a handler: whatever converts into a [`HandlerError`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a handler's error",
    label = "its error does not convert into a `HandlerError`",
    note = "the error is `HandlerError` (write `framework::Result<T>`), or any type that implements `std::error::Error + Send + Sync`",
    note = "`#[derive(Debug, thiserror::Error)]` implements it; `anyhow::Error` and `String` fit too"
)]
pub trait HandlerFailure {
    /// As the framework takes it.
    fn into_handler_error(self) -> HandlerError;
}

#[diagnostic::do_not_recommend]
impl<E: Into<HandlerError>> HandlerFailure for E {
    fn into_handler_error(self) -> HandlerError {
        self.into()
    }
}
