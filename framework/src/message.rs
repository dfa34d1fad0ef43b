//! Messages: what a handler takes by value, and what it returns to send.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::delivery::Delivery;
use crate::error::BoxError;
use crate::stream::Key;

pub(crate) mod json;
mod key;

pub use endwise_macros::Message;
pub use json::Unwritable;
pub use key::AsKey;

/// A message: what it is called on the wire, where it goes, and what it is about.
///
/// ```
/// use framework::prelude::*;
///
/// #[derive(Message, Serialize, Deserialize)]
/// #[message(topic = "deposits", key = account)]
/// struct Deposit {
///     account: String,
///     cents: i64,
/// }
///
/// let deposit = Deposit { account: "a-1".into(), cents: 500 };
/// assert_eq!(Deposit::TOPIC, "deposits");
/// assert_eq!(Deposit::TYPE, "Deposit");
/// assert_eq!(deposit.key().as_deref(), Some("a-1"));
/// ```
///
/// `#[derive(Message)]` takes, in `#[message(..)]`:
/// - `topic = "..."`: where it is sent; unless given, the Rust name in kebab case
///   (`DepositMade` goes to `deposit-made`).
/// - `key = field` or `key = order.id`: what it is about, any type that implements [`AsKey`].
///   Messages of one key are handled in order. Without it the message has no key, and no
///   handler of it can have a state.
/// - `type = "..."`: its name on the wire and in stored data; unless given, the Rust name. Give
///   it before you rename the Rust type.
///
/// A struct or an enum can be a message (an enum's variants share topic and type; for a key,
/// implement the trait by hand). Its body is JSON, as serde writes it.
///
/// What could not be read again is refused where it is sent: numbers that are not finite, maps whose
/// keys are floating-point numbers, more than 127 levels of arrays and objects, and values that the
/// type's own `Deserialize` does not read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "not a message",
    note = "write `#[derive(Message, Serialize, Deserialize)]` above the type; a handler takes its message by value, as its first argument"
)]
pub trait Message: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The topic that it is sent to.
    const TOPIC: &'static str;
    /// Its name on the wire and in stored data.
    const TYPE: &'static str;
    /// Whether [`key`](Message::key) gives a key.
    const KEYED: bool;

    /// What it is about: `Some` exactly if [`KEYED`](Message::KEYED).
    fn key(&self) -> Option<Cow<'_, str>>;
}

/// What a handler can take as its first argument, by value: any [`Message`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message, so a handler cannot take it as its first argument",
    label = "not a message",
    note = "a handler's first argument is its message, by value",
    note = "if this is a message, write `#[derive(Message, Serialize, Deserialize)]` above the type"
)]
pub trait Input: Sized + Send + 'static {
    /// The topic that it is read from.
    const TOPIC: &'static str;
    /// The type's name on the wire.
    const TYPE: &'static str;
    /// Whether it has a key.
    const KEYED: bool;

    /// Reads it from a delivery.
    fn from_delivery(delivery: &Delivery) -> Result<Self, BoxError>;

    /// Reads only the key, from a body whose envelope does not name it.
    fn key_of(body: &[u8]) -> Result<Option<Key>, serde_json::Error>;
}

#[diagnostic::do_not_recommend]
impl<M: Message> Input for M {
    const TOPIC: &'static str = M::TOPIC;
    const TYPE: &'static str = M::TYPE;
    const KEYED: bool = M::KEYED;

    fn key_of(body: &[u8]) -> Result<Option<Key>, serde_json::Error> {
        if !M::KEYED {
            return Ok(None);
        }
        let message: M = serde_json::from_slice(body)?;
        Ok(message.key().map(Key::from))
    }

    fn from_delivery(delivery: &Delivery) -> Result<Self, BoxError> {
        let envelope = delivery.envelope();
        let read = serde_json::from_slice(&envelope.body).map_err(|source| InvalidMessage {
            handler: delivery.handler().into(),
            type_name: M::TYPE,
            position: envelope.position.to_string(),
            source,
        });
        let message: M = read?;
        // States and order go by the envelope's key, so the handler must see the same one.
        if M::KEYED && message.key().as_deref() != envelope.key.as_deref() {
            return Err(KeyDiffers {
                handler: delivery.handler().into(),
                type_name: M::TYPE,
                position: envelope.position.to_string(),
                subject: envelope.key.as_deref().unwrap_or_default().into(),
                key: message.key().unwrap_or_default().into_owned(),
            }
            .into());
        }
        Ok(message)
    }
}

/// A message's body names another key than its envelope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "handler `{handler}`: the message {position} was sent with the key {subject:?}, and `{type_name}` \
     reads the key {key:?} from its body: let the sender's type and this one name the same field \
     as the key"
)]
#[non_exhaustive]
pub struct KeyDiffers {
    /// The handler.
    pub handler: String,
    /// The type that was expected.
    pub type_name: &'static str,
    /// Which message.
    pub position: String,
    /// The envelope's key.
    pub subject: String,
    /// The body's key.
    pub key: String,
}

/// A message's body could not be read as the type that the handler takes.
///
/// Found in the [`BoxError`] of a delivery by `error.downcast_ref::<InvalidMessage>()`. Trying
/// again does not help: the bytes stay as they are.
#[derive(Debug, thiserror::Error)]
#[error(
    "handler `{handler}` cannot read the message {position} as `{type_name}`: either its sender \
     writes another form, or the type's fields changed (give new ones `#[serde(default)]`)"
)]
#[non_exhaustive]
pub struct InvalidMessage {
    /// The handler.
    pub handler: String,
    /// The type that was expected.
    pub type_name: &'static str,
    /// Which message.
    pub position: String,
    /// What serde says.
    pub source: serde_json::Error,
}
