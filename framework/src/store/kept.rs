//! What a store keeps whole: deliveries that wait, that are held behind one that waits, and that
//! are given up; and records that are no message.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::clock::millis;
use crate::envelope::Envelope;
use crate::stream::{Key, PartitionId, Position};

/// A delivery that the store keeps whole: one handler's, of one message. The broker's record of it
/// may be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its number, never used twice. Deliveries of one lane go on in the order of their numbers.
    pub number: u64,
    /// The message.
    pub position: Position,
    /// The handler.
    pub handler: Arc<str>,
    /// The message's key.
    pub key: Option<Key>,
    /// Milliseconds since 1970 when it was first kept.
    pub since_ms: u64,
    /// What it waits for.
    pub wait: Wait,
    /// Attempts that failed, since it was kept or replayed.
    pub attempts: u32,
    /// Whether messages that were sent after it have gone before it.
    pub late: bool,
    /// Bytes of its headers and body.
    pub bytes: u32,
}

/// What a kept delivery waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wait {
    /// Those before it in its lane.
    Held,
    /// This time, milliseconds since 1970: its next attempt.
    Until(u64),
    /// An operator: it is a dead letter.
    Dead {
        /// When it was given up, milliseconds since 1970.
        since_ms: u64,
        /// When those behind it go on without it; without that they wait for the operator.
        skip_ms: Option<u64>,
    },
    /// A handler: no handler of the app takes the message's type. Such a delivery names its type
    /// in the place of its handler, and is listed by [`Reader::unhandled`](super::Reader::unhandled)
    /// alone.
    Unhandled,
}

/// How many numbers an unhandled message takes, its own the first of them: one for each handler
/// that may come to take it, so that all of them handle it in its place. A type has at most so many
/// handlers when what was stored of it is handled.
pub(crate) const UNHANDLED_NUMBERS: u64 = 256;

/// A message that no handler takes, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unhandled {
    /// Its number.
    pub number: u64,
    /// The message.
    pub position: Position,
    /// The name of its type.
    pub type_name: Arc<str>,
    /// Its key, where its envelope or its record names one.
    pub key: Option<Key>,
    /// Milliseconds since 1970 when it came.
    pub since_ms: u64,
    /// Bytes of its headers and body.
    pub bytes: u32,
}

impl Wait {
    /// Milliseconds from `now_ms` until the time for which it waits; `None` if it waits for none.
    ///
    /// The clock may have been ahead when that time was stored: between two attempts the wait is
    /// never longer than `retry_max`, and behind a dead letter never than it was meant to be.
    pub(crate) fn left_ms(&self, now_ms: u64, retry_max: Duration) -> Option<u64> {
        let (due_ms, most_ms) = match *self {
            Wait::Until(due_ms) => (due_ms, millis(retry_max)),
            Wait::Dead { since_ms, skip_ms: Some(due_ms) } => {
                (due_ms, due_ms.saturating_sub(since_ms))
            }
            Wait::Held | Wait::Unhandled | Wait::Dead { skip_ms: None, .. } => return None,
        };
        Some(due_ms.saturating_sub(now_ms).min(most_ms))
    }

    /// The same wait with the time at which it will end, as the clock is now.
    pub(crate) fn seen_at(self, now_ms: u64, retry_max: Duration) -> Wait {
        let due_ms = self.left_ms(now_ms, retry_max).map(|left_ms| now_ms.saturating_add(left_ms));
        match (self, due_ms) {
            (Wait::Until(at_ms), Some(due_ms)) => Wait::Until(due_ms.min(at_ms)),
            (Wait::Dead { since_ms, skip_ms: Some(at_ms) }, Some(due_ms)) => {
                Wait::Dead { since_ms, skip_ms: Some(due_ms.min(at_ms)) }
            }
            (wait, _) => wait,
        }
    }
}

/// A delivery that is to be kept, or that is kept and waits for something else now.
#[derive(Clone, Debug)]
pub struct Keep {
    /// Its number. A new one has one of its own, not below [`Recovered::kept_next`](super::Recovered).
    pub number: u64,
    /// The message.
    pub position: Position,
    /// The sender's floor that the message carried.
    pub floor: u64,
    /// The handler.
    pub handler: Arc<str>,
    /// All handlers that this position has here; fixed by the first commit that names it.
    pub handlers: Arc<[Arc<str>]>,
    /// The message, if it is new; one that is kept already stays as it is.
    pub message: Option<Arc<Envelope>>,
    /// What it waits for.
    pub wait: Wait,
    /// Attempts that failed, since it was kept or replayed.
    pub attempts: u32,
    /// Whether messages that were sent after it have gone before it.
    pub late: bool,
    /// The attempt that has just failed: added to its history.
    pub failure: Option<Failure>,
}

/// One failed attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// Which attempt; the first is 1.
    pub attempt: u32,
    /// How it ended.
    pub how: How,
    /// The error with its chain of sources, the outermost first; each at most 1 KiB, at most 8.
    pub errors: Vec<String>,
}

/// How a handler ended without an outcome. The order of the variants is a stored format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum How {
    /// It returned an error.
    Failed,
    /// It returned an error that is marked as permanent: trying again will not help.
    FailedForGood,
    /// It panicked.
    Panicked,
    /// It did not end within its time.
    TimedOut,
    /// The process died while it ran alone.
    Killed,
}

impl std::fmt::Display for How {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            How::Failed => "failed",
            How::FailedForGood => "failed for good",
            How::Panicked => "panicked",
            How::TimedOut => "timed out",
            How::Killed => "killed the process",
        })
    }
}

/// A kept delivery with its message.
#[derive(Clone, Debug)]
pub struct KeptMessage {
    /// What is known of it without reading it.
    pub kept: Kept,
    /// The message.
    pub envelope: Arc<Envelope>,
    /// All handlers that its position had when it came.
    pub handlers: Arc<[Arc<str>]>,
    /// Its failed attempts, oldest first, those before a replay among them: of more than 16 the
    /// first 4 and the last 12.
    pub failures: Vec<Failure>,
}

/// A record that is no message, as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvalidMessage {
    /// Milliseconds since 1970 when it came.
    pub at_ms: u64,
    /// The partition that it came from.
    pub partition: Arc<PartitionId>,
    /// Its offset there.
    pub offset: u64,
    /// What is wrong with it.
    pub reason: String,
    /// The broker's key of it.
    pub key: Option<String>,
    /// Its headers, as [`Headers::as_bytes`](crate::envelope::Headers::as_bytes) gives them.
    pub headers: Bytes,
    /// Its body.
    pub body: Bytes,
    /// Whether all of it is stored. What is longer than a row is cut.
    pub is_whole: bool,
    /// What it is to the position that its sender gave it.
    pub claim: Claim,
}

/// What a record that is no message is to the position that its sender gave it, if a service of
/// Endwise sent it. The order of the variants is a stored format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Claim {
    /// It has settled none. Whether what is in it is new, its stream says.
    Open,
    /// The position was settled with it: what is in it is new as long as it is listed.
    Settled,
    /// The position belongs to another message.
    Other,
}

impl InvalidMessage {
    /// Which record, in words: topic, partition and offset.
    pub fn record(&self) -> String {
        Position::Foreign(Arc::clone(&self.partition), self.offset).to_string()
    }
}

/// Which timer: due time, then number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerId {
    /// Milliseconds since 1970 when it is due.
    pub due_ms: u64,
    /// Its number, never used twice.
    pub number: u64,
}

/// A message that waits for its time; it has no position yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    /// Which.
    pub id: TimerId,
    /// The message's topic.
    pub topic: Arc<str>,
    /// Its type.
    pub type_name: Arc<str>,
    /// Its key.
    pub key: Option<Key>,
    /// The name by which it can be cancelled.
    pub name: Option<Arc<str>>,
    /// The handler that sent it; `None` if it came from outside.
    pub handler: Option<Arc<str>>,
    /// The bytes of its headers and its body.
    pub bytes: usize,
}

/// How much a store keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Deliveries that are held behind another.
    pub held: u64,
    /// Deliveries that wait for their next attempt.
    pub waiting: u64,
    /// Dead letters.
    pub dead: u64,
    /// Bytes of headers and bodies of all of these.
    pub kept_bytes: u64,
    /// Messages that no handler takes.
    pub unhandled: u64,
    /// Bytes of their headers and bodies.
    pub unhandled_bytes: u64,
    /// Messages that wait for their time.
    pub timers: u64,
    /// Records that are no message.
    pub invalid: u64,
    /// Messages that have their position and are not confirmed by the broker.
    pub outbox: u64,
}
