//! What a handler returns: something to send, or a `Result` of it.

use crate::error::HandlerError;
use crate::outgoing::Sends;

/// What a handler can return: whatever [`Sends`], or a `Result` of it with any error that
/// converts into a [`HandlerError`].
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "this cannot be sent",
    note = "a handler returns what is to be sent: `()`, a message, `Outgoing<M>`, an `Option`, `Vec`, array or tuple of these, or a `Result` of any of these",
    note = "if this is a message, write `#[derive(Message, Serialize, Deserialize)]` above the type"
)]
pub trait Returned {
    /// What there is to send.
    type Sends: Sends;

    /// What there is to send, or why the handler failed.
    fn into_result(self) -> Result<Self::Sends, HandlerError>;
}

#[diagnostic::do_not_recommend]
impl<T: Sends> Returned for T {
    type Sends = T;

    fn into_result(self) -> Result<T, HandlerError> {
        Ok(self)
    }
}

impl<T: Sends, E: HandlerFailure> Returned for Result<T, E> {
    type Sends = T;

    fn into_result(self) -> Result<T, HandlerError> {
        self.map_err(HandlerFailure::into_handler_error)
    }
}

/// The error of a handler: whatever converts into a [`HandlerError`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a handler's error",
    label = "does not convert into a `HandlerError`",
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
