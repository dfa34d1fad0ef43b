//! Outgoing messages: what a handler returns, or puts into its outbox, to be sent.

use std::borrow::Cow;

use crate::envelope::Headers;
use crate::envelope::attributes::CONTENT_TYPE;
use crate::message::{Message, json};
use crate::outcome::{Release, Send};
use crate::stream::{Key, KeyTooLong, check_key};

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
    /// The name of a header that did not fit; told when the message is sent.
    unfit: Option<String>,
}

impl<M: Message> Outgoing<M> {
    /// This message, with nothing said yet.
    pub fn new(message: M) -> Self {
        Outgoing { message, topic: None, headers: Headers::default(), unfit: None }
    }

    /// Sends it to that topic, not to its own.
    #[must_use]
    pub fn to(mut self, topic: impl Into<Cow<'static, str>>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Adds a header.
    ///
    /// A name has 1 to 255 bytes, a value at most 65,535; names that begin with `ce_`, and
    /// `content-type`, are the envelope's own. A header that does not fit fails the delivery.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let reserved = name.starts_with("ce_") || name == CONTENT_TYPE;
        if reserved
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

    /// The message.
    pub fn message(&self) -> &M {
        &self.message
    }

    /// The message alone.
    pub fn into_message(self) -> M {
        self.message
    }

    /// It as it goes out. `near` is a key that it probably has: then that is shared.
    pub(crate) fn encode(self, near: Option<&Key>) -> Result<Send, SendError> {
        if let Some(name) = self.unfit {
            return Err(SendError::Header { type_name: M::TYPE, name });
        }
        let body = json::encode(&self.message)
            .map_err(|source| SendError::Body { type_name: M::TYPE, source })?;
        if body.len() > BODY_BYTES_MAX {
            return Err(SendError::TooLarge { type_name: M::TYPE, bytes: body.len() });
        }
        let headers = self.headers.as_bytes().len();
        if headers > HEADERS_BYTES_MAX {
            return Err(SendError::Headers { type_name: M::TYPE, bytes: headers });
        }
        let key = self.message.key().map(|key| match near {
            Some(near) if **near == *key => near.clone(),
            _ => Key::from(key),
        });
        if let Some(key) = &key {
            check_key(key).map_err(|source| SendError::Key { type_name: M::TYPE, source })?;
        }
        Ok(Send {
            topic: self.topic.unwrap_or(Cow::Borrowed(M::TOPIC)),
            type_name: Cow::Borrowed(M::TYPE),
            key,
            headers: self.headers,
            body,
            release: Release::Now,
            name: None,
        })
    }
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
}

impl<M: Message> MessageExt for M {}

/// The largest body of a message, in bytes of JSON.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// The most that a message's own headers may take together, in bytes.
pub const HEADERS_BYTES_MAX: usize = 64 << 10;

/// A message could not be sent as the handler asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// It has no JSON.
    #[error(
        "message `{type_name}` cannot be written as JSON (a map's keys, for one, must be strings \
         or numbers)"
    )]
    Body {
        /// The message's type.
        type_name: &'static str,
        /// What serde says.
        source: serde_json::Error,
    },
    /// Its body is too large.
    #[error(
        "message `{type_name}` has {bytes} bytes of JSON, more than {BODY_BYTES_MAX}: send a \
         reference to what is large"
    )]
    TooLarge {
        /// The message's type.
        type_name: &'static str,
        /// Its size.
        bytes: usize,
    },
    /// Its headers are too many.
    #[error(
        "message `{type_name}` has {bytes} bytes of headers, more than {HEADERS_BYTES_MAX}: put \
         what is large into its body"
    )]
    Headers {
        /// The message's type.
        type_name: &'static str,
        /// Their size.
        bytes: usize,
    },
    /// Its key is too long.
    #[error("message `{type_name}`: {source}")]
    Key {
        /// The message's type.
        type_name: &'static str,
        /// By how much.
        source: KeyTooLong,
    },
    /// A header does not fit.
    #[error(
        "message `{type_name}`: the header `{name}` cannot be sent; a name has 1 to 255 bytes and \
         is not content-type and does not begin with ce_, a value has at most 65,535 bytes"
    )]
    Header {
        /// The message's type.
        type_name: &'static str,
        /// The header's name.
        name: String,
    },
}
