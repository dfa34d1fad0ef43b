//! What a running service waits for that is no failure: told beside whether it is ready.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::stream::Key;

/// Messages from outside that wait to be taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IntakeWait {
    /// How many.
    pub waiting: u64,
    /// What there is no room in.
    pub room_in: RoomIn,
    /// Since when, milliseconds since 1970.
    pub since_ms: u64,
}

/// What messages from outside wait for room in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RoomIn {
    /// The broker: it is at its limit.
    Broker,
    /// The outbox: the broker does not take its messages fast enough.
    Outbox,
    /// The timers: so many messages wait for their time.
    Timers,
}

impl fmt::Display for RoomIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RoomIn::Broker => "the broker",
            RoomIn::Outbox => "the outbox",
            RoomIn::Timers => "the timers",
        })
    }
}

/// Deliveries whose layers have them, and whose handler has not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LayerWait {
    /// How many.
    pub waiting: u64,
    /// Since when the first of them waits, milliseconds since 1970.
    pub since_ms: u64,
}

/// A handler that holds its thread, as the watchdog found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BlockedThread {
    /// The handler.
    pub handler: Arc<str>,
    /// The message's key.
    pub key: Option<Key>,
    /// Since when, milliseconds since 1970, to a second.
    pub since_ms: u64,
}
