//! Outgoing messages: what a handler returns, or puts into its outbox, to be sent.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::clock;
use crate::envelope::Headers;
use crate::envelope::attributes;
use crate::limits::MessageLimits;
use crate::message::json::{self, ReadBack};
use crate::message::{Message, Unwritable};
use crate::outcome::{Release, Send};
use crate::stream::{KEY_BYTES_MAX, Key, KeyTooLong, check_key};

mod outbox;
mod sends;

pub use outbox::Outbox;
pub use sends::Sends;

/// A message with what is said about its sending.
///
/// ```
/// use framework::prelude::*;
///
/// #[derive(Message, Serialize, Deserialize)]
/// #[message(topic = "reminders", key = account)]
/// struct Reminder {
///     account: String,
/// }
///
/// fn remind(account: String) -> Outgoing<Reminder> {
///     Reminder { account }.to("urgent-reminders").header("tenant", "north")
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Outgoing<M> {
    message: M,
    topic: Option<Cow<'static, str>>,
    headers: Headers,
    release: Release,
    name: Option<Arc<str>>,
    /// The name of a header that did not fit; told when the message is sent.
    unfit: Option<String>,
}

impl<M: Message> Outgoing<M> {
    /// This message, with nothing said yet.
    pub fn new(message: M) -> Self {
        Outgoing {
            message,
            topic: None,
            headers: Headers::default(),
            release: Release::Now,
            name: None,
            unfit: None,
        }
    }

    /// Sends it to that topic, not to its own.
    #[must_use]
    pub fn to(mut self, topic: impl Into<Cow<'static, str>>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Adds a header.
    ///
    /// A name has 1 to 255 bytes, a value at most 65,535; names that begin with `ce_` or `ce-`, and
    /// `content-type`, are the envelope's own, in upper case too. A header that does not fit fails
    /// the delivery.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if attributes::is_reserved(name.as_bytes())
            || name.is_empty()
            || name.len() > u8::MAX.into()
            || value.len() > u16::MAX.into()
        {
            self.unfit.get_or_insert_with(|| name.into());
        } else {
            self.headers = self.headers.with([(name, value)]);
        }
        self
    }

    /// Sends it so long after the commit that decides it: until then it waits in the store, and
    /// has no place among the messages of its key. Said twice, or beside [`at`](Self::at), the
    /// later counts.
    ///
    /// ```
    /// use framework::prelude::*;
    /// use std::time::Duration;
    ///
    /// #[derive(Message, Serialize, Deserialize)]
    /// #[message(key = order)]
    /// struct Placed {
    ///     order: u64,
    /// }
    ///
    /// #[derive(Message, Serialize, Deserialize)]
    /// #[message(key = order)]
    /// struct PaymentDue {
    ///     order: u64,
    /// }
    ///
    /// #[handler]
    /// async fn placed(event: Placed) -> Outgoing<PaymentDue> {
    ///     PaymentDue { order: event.order }.delay(Duration::from_secs(3600)).named("payment")
    /// }
    /// ```
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.release = Release::After(delay);
        self
    }

    /// Sends it at that time, to the millisecond and not before; at once if it is past. Until then
    /// it waits as one that is [delayed](Self::delay).
    #[must_use]
    pub fn at(mut self, time: SystemTime) -> Self {
        self.release = Release::At(clock::ms_until(time));
        self
    }

    /// The name under which it waits for its time, unique among its topic, type and key. Sent
    /// again under it, it replaces what waits; [`Outbox::cancel`] takes it back.
    ///
    /// A name has at most 400 bytes; a longer one fails the delivery. It has no meaning for a
    /// message that is sent at once: that neither waits nor replaces one that does.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The message.
    pub fn message(&self) -> &M {
        &self.message
    }

    /// The message alone.
    pub fn into_message(self) -> M {
        self.message
    }

    /// It as it goes out. `near` is a key that it probably has: then that is shared. Without a
    /// count of what is read back, it is.
    pub(crate) fn encode(
        self,
        near: Option<&Key>,
        read_back: Option<&ReadBack>,
    ) -> Result<Send, SendError> {
        if let Some(name) = self.unfit {
            return Err(SendError::Header { type_name: M::TYPE, name });
        }
        let body = json::encode(&self.message)
            .map_err(|problem| SendError::Body { type_name: M::TYPE, problem })?;
        if read_back.is_none_or(ReadBack::is_due::<M>) {
            check_read(&self.message, &body)?;
        }
        let key = self.message.key().map(|key| match near {
            Some(near) if **near == *key => near.clone(),
            _ => Key::from(key),
        });
        if let Some(key) = &key {
            check_key(key).map_err(|source| SendError::Key { type_name: M::TYPE, source })?;
        }
        if let Some(name) = &self.name {
            check_name(M::TYPE, name)?;
        }
        let message = Send {
            topic: self.topic.unwrap_or(Cow::Borrowed(M::TOPIC)),
            type_name: Cow::Borrowed(M::TYPE),
            key,
            headers: self.headers,
            body,
            release: self.release,
            name: self.name,
        };
        // What the service lets a message have is known, and checked, where it meets the service.
        MessageLimits::CEILING.check(&message)?;
        Ok(message)
    }
}

/// Refuses a message that its own type would not read from that body, or not with its key.
fn check_read<M: Message>(message: &M, body: &[u8]) -> Result<(), SendError> {
    let unreadable = |problem| Err(SendError::Unreadable { type_name: M::TYPE, problem });
    match serde_json::from_slice::<M>(body) {
        Err(error) => unreadable(json::unread(message, &error)),
        Ok(read) if read.key() != message.key() => {
            let (key, read) = (message.key(), read.key());
            unreadable(format!("its key is {key:?}, and is read back as {read:?}").into())
        }
        Ok(_) => Ok(()),
    }
}

/// Refuses a name that is longer than a key may be.
fn check_name(type_name: &'static str, name: &str) -> Result<(), SendError> {
    if name.len() > KEY_BYTES_MAX {
        return Err(SendError::Name { type_name, bytes: name.len() });
    }
    Ok(())
}

impl<M: Message> From<M> for Outgoing<M> {
    fn from(message: M) -> Self {
        Outgoing::new(message)
    }
}

/// What can be said about the sending of any message, said on the message.
pub trait MessageExt: Message {
    /// Sends it to that topic, not to its own.
    fn to(self, topic: impl Into<Cow<'static, str>>) -> Outgoing<Self> {
        Outgoing::new(self).to(topic)
    }

    /// Adds a header; see [`Outgoing::header`].
    fn header(self, name: &str, value: &str) -> Outgoing<Self> {
        Outgoing::new(self).header(name, value)
    }

    /// Sends it so long after the commit that decides it; see [`Outgoing::delay`].
    fn delay(self, delay: Duration) -> Outgoing<Self> {
        Outgoing::new(self).delay(delay)
    }

    /// Sends it at that time; see [`Outgoing::at`].
    fn at(self, time: SystemTime) -> Outgoing<Self> {
        Outgoing::new(self).at(time)
    }

    /// The name under which it waits for its time; see [`Outgoing::named`].
    fn named(self, name: impl Into<Arc<str>>) -> Outgoing<Self> {
        Outgoing::new(self).named(name)
    }
}

impl<M: Message> MessageExt for M {}

/// The largest body that a message can have, in bytes of JSON, whatever the service's
/// [limits](crate::Limits) are.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// The most that a message's own headers can take together, in bytes, whatever the service's
/// [limits](crate::Limits) are.
pub const HEADERS_BYTES_MAX: usize = 64 << 10;

/// A message could not be sent as the handler asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// It has no JSON, or none that could be read back.
    #[error("message `{type_name}` cannot be written as JSON: {problem}")]
    Body {
        /// The message's type.
        type_name: &'static str,
        /// What is wrong, and where.
        problem: Unwritable,
    },
    /// What its type's `Serialize` writes, its `Deserialize` does not read.
    #[error(
        "message `{type_name}` is not sent, for its type could not read it back: {problem}; let \
         both halves of serde agree on the form"
    )]
    Unreadable {
        /// The message's type.
        type_name: &'static str,
        /// What serde says, or which field it is.
        problem: Box<str>,
    },
    /// Its body is too large.
    #[error(
        "message `{type_name}` has {bytes} bytes of JSON, more than {most} \
         (limits.payload_bytes_max): send a reference to what is large"
    )]
    TooLarge {
        /// The message's type.
        type_name: Cow<'static, str>,
        /// Its size.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// All that an attempt sends is too much for one commit.
    #[error(
        "what this delivery changes, and the {messages} messages that it sends, have {bytes} bytes \
         together, more than {most}: let it send messages to itself that send a part each"
    )]
    Together {
        /// How many messages it sends.
        messages: usize,
        /// All of it, with what each message costs beside its own bytes.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// Its headers are too large.
    #[error(
        "message `{type_name}` has {bytes} bytes of headers, more than {most} \
         (limits.headers_bytes_max): put what is large into its body"
    )]
    Headers {
        /// The message's type.
        type_name: Cow<'static, str>,
        /// Their size.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// Its headers are too many.
    #[error(
        "message `{type_name}` has {count} headers, more than {most} (limits.headers_max): put \
         them into its body"
    )]
    HeaderCount {
        /// The message's type.
        type_name: Cow<'static, str>,
        /// How many there are.
        count: usize,
        /// The limit.
        most: usize,
    },
    /// Its key is too long.
    #[error("message `{type_name}`: {source}")]
    Key {
        /// The message's type.
        type_name: &'static str,
        /// By how much.
        source: KeyTooLong,
    },
    /// The name under which it waits, or is cancelled, is too long.
    #[error(
        "message `{type_name}` is named with {bytes} bytes, more than {KEY_BYTES_MAX}: use a \
         shorter name"
    )]
    Name {
        /// The message's type.
        type_name: &'static str,
        /// The name's size.
        bytes: usize,
    },
    /// A header does not fit.
    #[error(
        "message `{type_name}`: the header `{name}` cannot be sent; a name has 1 to 255 bytes and \
         is not content-type and does not begin with ce_ or ce-, a value has at most 65,535 bytes"
    )]
    Header {
        /// The message's type.
        type_name: &'static str,
        /// The header's name.
        name: String,
    },
}
