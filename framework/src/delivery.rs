//! A delivery: one attempt of one handler at one message.

use std::sync::Arc;

use bytes::Bytes;

use crate::envelope::Envelope;
use crate::message::json::ReadBack;

mod begun;

pub(crate) use begun::Begun;

/// One attempt of one handler at one message: what a layer sees and a handler consumes.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub(crate) handler: Arc<str>,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) attempt: u32,
    pub(crate) late: bool,
    /// The states of this key, in the order in which the handler names them.
    pub(crate) states: Vec<Option<StateValue>>,
    /// Counts what is written; without it all of that is read back.
    pub(crate) read_back: Option<Arc<ReadBack>>,
    /// Where layers are between the loop and the handler: told when the handler itself begins.
    pub(crate) begun: Option<Arc<Begun>>,
}

/// A state as it is stored: its JSON and the version of the Rust type that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateValue {
    /// `State::VERSION` of the type that wrote it.
    pub schema: u32,
    /// The value, JSON.
    pub json: Bytes,
}

impl Delivery {
    /// The handler's name.
    pub fn handler(&self) -> &str {
        &self.handler
    }

    /// The message.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Which attempt this is; the first is 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether messages of its key that were sent after it may have been handled before it.
    pub fn is_late(&self) -> bool {
        self.late
    }
}
