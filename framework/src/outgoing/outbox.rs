//! The outbox: where messages wait for the commit that sends them.

use super::{SendError, Sends};
use crate::message::Message;
use crate::outcome::Send;
use crate::stream::Key;

/// Messages to be sent, in order: a handler's argument `&mut Outbox`, for sending in a loop.
///
/// They are sent if the handler succeeds, in the same commit as its states' changes, before
/// the messages that it returns.
///
/// ```
/// use framework::prelude::*;
///
/// #[derive(Message, Serialize, Deserialize)]
/// struct Close { accounts: Vec<String> }
///
/// #[derive(Message, Serialize, Deserialize)]
/// #[message(key = account)]
/// struct Closed { account: String }
///
/// #[handler]
/// async fn close(cmd: Close, outbox: &mut Outbox) {
///     for account in cmd.accounts {
///         outbox.send(Closed { account });
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let mut outbox = Outbox::new();
/// close(Close { accounts: vec!["a".into(), "b".into()] }, &mut outbox).await;
/// assert_eq!(outbox.sent::<Closed>().count(), 2);
/// # });
/// ```
#[derive(Debug, Default)]
pub struct Outbox {
    sends: Vec<Send>,
    /// The delivery's key: what is sent on is mostly about the same.
    key: Option<Key>,
    failed: Option<SendError>,
}

impl Outbox {
    /// An empty one, for calling a handler's function in a test.
    pub fn new() -> Self {
        Outbox::default()
    }

    pub(crate) fn near(key: Option<Key>) -> Self {
        Outbox { key, ..Outbox::default() }
    }

    /// Sends a message, or whatever a handler can return: an [`Outgoing`](super::Outgoing), an
    /// `Option`, a `Vec`, a tuple.
    ///
    /// A message that cannot be written as JSON fails the delivery, after the handler.
    pub fn send(&mut self, messages: impl Sends) {
        messages.send_to(self);
    }

    /// What is to be sent so far.
    pub fn sends(&self) -> &[Send] {
        &self.sends
    }

    /// The messages of one type that are to be sent, read back: for a test.
    pub fn sent<M: Message>(&self) -> impl Iterator<Item = M> {
        let of_type = self.sends.iter().filter(|send| send.type_name == M::TYPE);
        of_type.filter_map(|send| serde_json::from_slice(&send.body).ok())
    }

    pub(super) fn push(&mut self, encode: impl FnOnce(Option<&Key>) -> Result<Send, SendError>) {
        match encode(self.key.as_ref()) {
            Ok(send) => self.sends.push(send),
            // The first failure says it; the delivery fails as a whole.
            Err(error) => self.failed = self.failed.take().or(Some(error)),
        }
    }

    pub(crate) fn reserve(&mut self, more: usize) {
        self.sends.reserve(more);
    }

    /// Moves what the other one holds behind what this one holds.
    pub(crate) fn append(&mut self, mut other: Outbox) {
        self.failed = self.failed.take().or(other.failed);
        if self.sends.is_empty() {
            self.sends = other.sends;
        } else {
            self.sends.append(&mut other.sends);
        }
    }

    pub(crate) fn into_sends(self) -> Result<Vec<Send>, SendError> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.sends),
        }
    }
}
