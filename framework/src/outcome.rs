//! An outcome: what a handler decided, as data. Nothing of it has happened yet.

use std::borrow::Cow;

use bytes::Bytes;

use crate::delivery::StateValue;
use crate::envelope::Headers;
use crate::stream::Key;

/// What a handler decided: its states' new values and the messages that it sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// One change a state, in the order in which the handler names its states.
    pub(crate) states: Vec<StateChange>,
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
}

impl Outcome {
    /// The messages that it sends.
    pub fn sends(&self) -> &[Send] {
        &self.sends
    }

    /// The states' changes, in the order in which the handler names its states.
    pub fn states(&self) -> &[StateChange] {
        &self.states
    }
}
