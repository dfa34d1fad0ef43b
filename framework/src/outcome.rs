//! An outcome: what a handler decided, as data. Nothing of it has happened yet.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::delivery::StateValue;
use crate::envelope::Headers;
use crate::stream::Key;

/// What a handler decided: its states' new values and the messages that it sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// One change a state, in the order in which the handler names its states.
    pub(crate) states: Vec<StateChange>,
    /// Cancelled before anything of this outcome is sent.
    pub(crate) cancels: Vec<Cancel>,
    pub(crate) sends: Vec<Send>,
}

/// What became of one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// It is as it was.
    Same,
    /// It has this value now.
    Put(StateValue),
    /// It is gone.
    Delete,
}

/// A message to be sent, encoded; it gets its position in the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// The topic.
    pub topic: Cow<'static, str>,
    /// The name of its type.
    pub type_name: Cow<'static, str>,
    /// Its key.
    pub key: Option<Key>,
    /// The user's headers.
    pub headers: Headers,
    /// The body, JSON.
    pub body: Bytes,
    /// When it gets its position and goes out.
    pub release: Release,
    /// The name under which it waits until then, unique among its topic, type and key: sent
    /// again under it, it replaces what waits. It has no meaning for one that is sent now.
    pub name: Option<Arc<str>>,
}

/// When a message gets its position and goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// In the commit that sends it.
    #[default]
    Now,
    /// So long after that commit.
    After(Duration),
    /// At this time, milliseconds since 1970; in that commit if it is past.
    At(u64),
}

/// A message that waits for its time and is not to be sent any more. If none waits under that
/// name (any more), nothing happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// The topic.
    pub topic: Cow<'static, str>,
    /// The name of its type.
    pub type_name: Cow<'static, str>,
    /// Its key.
    pub key: Option<Key>,
    /// The name under which it waits.
    pub name: Arc<str>,
}

/// What a message costs in a commit beside its own bytes, at most.
const SEND_BYTES: usize = 1_024;

impl Outcome {
    /// How many bytes all of it has, about.
    pub(crate) fn bytes(&self) -> usize {
        let text = |text: Option<&str>| text.map_or(0, str::len);
        let state = |change: &StateChange| match change {
            StateChange::Put(value) => value.json.len(),
            StateChange::Same | StateChange::Delete => 0,
        };
        let send = |send: &Send| {
            let named = text(send.key.as_deref()) + text(send.name.as_deref());
            SEND_BYTES + named + send.headers.as_bytes().len() + send.body.len()
        };
        let cancel = |cancel: &Cancel| cancel.name.len() + text(cancel.key.as_deref());
        self.states.iter().map(state).sum::<usize>()
            + self.sends.iter().map(send).sum::<usize>()
            + self.cancels.iter().map(cancel).sum::<usize>()
    }

    /// The messages that it sends.
    pub fn sends(&self) -> &[Send] {
        &self.sends
    }

    /// What waits for its time and is not to be sent any more. It takes effect before the sends.
    pub fn cancels(&self) -> &[Cancel] {
        &self.cancels
    }

    /// The states' changes, in the order in which the handler names its states.
    pub fn states(&self) -> &[StateChange] {
        &self.states
    }
}
