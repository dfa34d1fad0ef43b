//! A dead letter, in short and in full.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Body, Hold, Lanes};
use crate::store::{Failure, How, KeptMessage, Wait};
use crate::stream::Key;

/// A dead letter, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its number, by which it is replayed or discarded.
    pub number: u64,
    /// The handler that could not handle it.
    pub handler: Arc<str>,
    /// The message's key.
    pub key: Option<Key>,
    /// The topic that it was sent to.
    pub topic: Arc<str>,
    /// The name of its type.
    pub type_name: Arc<str>,
    /// Its position.
    pub position: String,
    /// When it failed first, milliseconds since 1970.
    pub since_ms: u64,
    /// When it was given up, milliseconds since 1970.
    pub dead_since_ms: u64,
    /// When those behind it go on without it, milliseconds since 1970; 0: they have; `None`: they
    /// wait until it is replayed or discarded.
    pub skip_ms: Option<u64>,
    /// Attempts that failed, since it came or was replayed.
    pub attempts: u32,
    /// How the last one ended.
    pub how: Option<How>,
    /// The last error, with all that it was caused by, in one line.
    pub error: String,
    /// How many deliveries are held behind it in the store.
    pub followers: u64,
}

/// All about a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeadLetterDetail {
    /// As a list shows it.
    pub letter: DeadLetter,
    /// The headers, attributes of the envelope among them, in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// All handlers that the message had here when it came.
    pub handlers: Vec<Arc<str>>,
    /// The attempts that failed, oldest first, those before a replay among them; of more than 16
    /// the first 4 and the last 12.
    pub failures: Vec<Failure>,
    /// The first 100 of those that are held behind it.
    pub held: Vec<Hold>,
}

/// How many followers are shown.
const HELD_SHOWN: usize = 100;

impl DeadLetter {
    /// `None` if it is none (any more).
    pub(super) fn of(found: &KeptMessage, lanes: &Lanes) -> Option<Self> {
        let KeptMessage { kept, envelope, failures, .. } = found;
        let seen = lanes.get(kept.number).map_or(kept.wait, |kept| kept.wait);
        let Wait::Dead { since_ms, skip_ms } = seen else { return None };
        let last = failures.last();
        Some(DeadLetter {
            number: kept.number,
            handler: Arc::clone(&kept.handler),
            key: kept.key.clone(),
            topic: Arc::clone(&envelope.topic),
            type_name: Arc::clone(&envelope.type_name),
            position: kept.position.to_string(),
            since_ms: kept.since_ms,
            dead_since_ms: since_ms,
            skip_ms,
            attempts: kept.attempts,
            how: last.map(|last| last.how),
            error: last.map(|last| last.errors.join(": ")).unwrap_or_default(),
            followers: lanes.followers(kept).len() as u64,
        })
    }
}

impl DeadLetterDetail {
    /// `None` if it is no dead letter (any more).
    pub(super) fn of(found: &KeptMessage, lanes: &Lanes) -> Option<Self> {
        let headers = found.envelope.headers.iter();
        let held = lanes.followers(&found.kept).take(HELD_SHOWN);
        Some(DeadLetterDetail {
            letter: DeadLetter::of(found, lanes)?,
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: Body::of(&found.envelope.body),
            handlers: found.handlers.to_vec(),
            failures: found.failures.clone(),
            held: held.filter_map(|number| Some(lanes.hold(lanes.get(number)?))).collect(),
        })
    }
}
