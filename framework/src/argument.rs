//! Arguments: what a handler takes beside its message.

use crate::delivery::Delivery;
use crate::envelope::Headers;
use crate::error::BoxError;

mod mutable;

pub use mutable::MutArgument;

/// What a handler can take by value behind its message: read from the delivery.
///
/// ```
/// use framework::argument::FromDelivery;
/// use framework::delivery::Delivery;
/// use framework::error::BoxError;
///
/// struct Tenant(String);
///
/// impl FromDelivery for Tenant {
///     fn from_delivery(delivery: &Delivery) -> Result<Self, BoxError> {
///         let tenant = delivery.envelope().headers.get("tenant");
///         Ok(Tenant(tenant.ok_or("the message names no tenant")?.into()))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a handler cannot take `{Self}` by value here",
    label = "not read from a delivery",
    note = "by value: first the one message, then `Attempt`, `Headers`, `Late`, `MessageId` or a type of yours that implements `FromDelivery`",
    note = "the key's state is taken by `&mut {Self}`, a dependency by `&{Self}`"
)]
pub trait FromDelivery: Sized + Send {
    /// Reads it. An error fails the attempt, before the handler is called.
    fn from_delivery(delivery: &Delivery) -> Result<Self, BoxError>;
}

/// Which attempt at the message this is; the first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(pub u32);

impl FromDelivery for Attempt {
    fn from_delivery(delivery: &Delivery) -> Result<Self, BoxError> {
        Ok(Attempt(delivery.attempt()))
    }
}

/// Whether messages of its key that were sent after it may have been handled before it: it is a
/// dead letter that is replayed after the handler's `gap = skip("..")` let those go on.
///
/// ```
/// use framework::prelude::*;
///
/// #[derive(Message, Serialize, Deserialize)]
/// #[message(key = sensor)]
/// struct Reading {
///     sensor: u32,
///     celsius: i16,
/// }
///
/// #[derive(State, Default, Serialize, Deserialize)]
/// struct Latest {
///     celsius: i16,
/// }
///
/// #[handler(gap = skip("30s"))]
/// async fn read(reading: Reading, latest: &mut Latest, Late(is_late): Late) {
///     if !is_late {
///         latest.celsius = reading.celsius;
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Late(pub bool);

impl FromDelivery for Late {
    fn from_delivery(delivery: &Delivery) -> Result<Self, BoxError> {
        Ok(Late(delivery.is_late()))
    }
}

/// The message's identity: its position, as text. The same on every attempt and after every
/// restart, so it serves as an idempotency key towards others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub String);

impl FromDelivery for MessageId {
    fn from_delivery(delivery: &Delivery) -> Result<Self, BoxError> {
        Ok(MessageId(delivery.envelope().position.to_string()))
    }
}

impl std::fmt::Display for MessageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromDelivery for Headers {
    fn from_delivery(delivery: &Delivery) -> Result<Self, BoxError> {
        Ok(delivery.envelope().headers.clone())
    }
}
