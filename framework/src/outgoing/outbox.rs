//! The outbox: where messages wait for the commit that sends them.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Outgoing, SendError, Sends, check_name};
use crate::delivery::Delivery;
use crate::message::json::ReadBack;
use crate::message::{AsKey, Message};
use crate::outcome::{Cancel, Release, Send};
use crate::stream::{Key, check_key};

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
    cancels: Vec<Cancel>,
    sends: Vec<Send>,
    /// The delivery's key: what is sent on is mostly about the same.
    key: Option<Key>,
    /// Counts what is written; without it all of that is read back.
    read_back: Option<Arc<ReadBack>>,
    failed: Option<SendError>,
}

impl Outbox {
    /// An empty one, for calling a handler's function in a test.
    pub fn new() -> Self {
        Outbox::default()
    }

    /// One for what this delivery sends.
    pub(crate) fn of(delivery: &Delivery) -> Self {
        let (key, read_back) = (delivery.envelope.key.clone(), delivery.read_back.clone());
        Outbox { key, read_back, ..Outbox::default() }
    }

    /// Sends a message, or whatever a handler can return: an [`Outgoing`](super::Outgoing), an
    /// `Option`, a `Vec`, a tuple.
    ///
    /// A message that cannot be written as JSON, or not so that its type reads it again, fails the
    /// delivery, after the handler.
    pub fn send(&mut self, messages: impl Sends) {
        messages.send_to(self);
    }

    /// Takes back what waits for its time under that name: the message of that type and key that
    /// was sent [delayed](super::Outgoing::delay) and [named](super::Outgoing::named). If none
    /// waits, or it was sent meanwhile, nothing happens. Of a type without a key the key is not
    /// looked at.
    ///
    /// It takes effect if the handler succeeds, in its commit. What the handler itself has put
    /// into this outbox before is taken back too; what it sends later under the name is not.
    ///
    /// ```
    /// use framework::prelude::*;
    ///
    /// #[derive(Message, Serialize, Deserialize)]
    /// #[message(key = order)]
    /// struct Paid {
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
    /// fn paid(event: Paid, outbox: &mut Outbox) {
    ///     outbox.cancel::<PaymentDue>(event.order, "payment");
    /// }
    ///
    /// let mut outbox = Outbox::new();
    /// paid(Paid { order: 7 }, &mut outbox);
    /// assert_eq!(&*outbox.cancels()[0].name, "payment");
    /// ```
    pub fn cancel<M: Message>(&mut self, key: impl AsKey, name: &str) {
        self.cancel_on::<M>(M::TOPIC, key, name);
    }

    /// The same for a message that was sent [to](super::Outgoing::to) that topic.
    pub fn cancel_on<M: Message>(
        &mut self,
        topic: impl Into<Cow<'static, str>>,
        key: impl AsKey,
        name: &str,
    ) {
        if let Err(error) = check_name(M::TYPE, name) {
            self.failed.get_or_insert(error);
            return;
        }
        let key = M::KEYED.then(|| Key::from(key.as_key()));
        if let Err(source) = check_key(key.as_deref().unwrap_or_default()) {
            self.failed.get_or_insert(SendError::Key { type_name: M::TYPE, source });
            return;
        }
        let (topic, type_name) = (topic.into(), Cow::Borrowed(M::TYPE));
        let cancel = Cancel { topic, type_name, key, name: name.into() };
        self.sends.retain(|send| !waits_as(send, &cancel));
        self.cancels.push(cancel);
    }

    /// What is to be taken back so far.
    pub fn cancels(&self) -> &[Cancel] {
        &self.cancels
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

    pub(super) fn push<M: Message>(&mut self, message: Outgoing<M>) {
        match message.encode(self.key.as_ref(), self.read_back.as_deref()) {
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
        self.cancels.append(&mut other.cancels);
        if self.sends.is_empty() {
            self.sends = other.sends;
        } else {
            self.sends.append(&mut other.sends);
        }
    }

    /// What is taken back, and what is sent.
    pub(crate) fn into_parts(self) -> Result<(Vec<Cancel>, Vec<Send>), SendError> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok((self.cancels, self.sends)),
        }
    }
}

/// Whether a message is to wait under what is cancelled.
fn waits_as(send: &Send, cancel: &Cancel) -> bool {
    let Send { topic, type_name, key, name, release, .. } = send;
    *release != Release::Now
        && name.as_ref() == Some(&cancel.name)
        && (topic, type_name, key) == (&cancel.topic, &cancel.type_name, &cancel.key)
}
