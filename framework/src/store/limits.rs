//! What a store takes: checked before anything of a batch is decided, for what was written once
//! and cannot be checkpointed would stop the store for good.

use super::invalid::stored_bytes;
use super::{Batch, Entry, Failure, Keep, Subject};
use crate::delivery::StateValue;
use crate::outcome::{Cancel, Release, Send as Message, StateChange};
use crate::stream::KEY_BYTES_MAX as MESSAGE_KEY_BYTES_MAX;

/// The longest key of a state and name of an intake source, in bytes; a zero byte counts twice.
pub(crate) const KEY_BYTES_MAX: usize = 450;

/// The largest value of a state, and the largest message with its key, headers and body.
pub(crate) const ROW_BYTES_MAX: usize = 1_250_000;

/// The largest message that is kept, with its key and headers. What was sent within
/// [`ROW_BYTES_MAX`] has more headers when it comes.
pub(crate) const KEPT_BYTES_MAX: usize = 1_300_000;

/// The longest name under which a message waits, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 400;

/// The most errors in the chain of a failed attempt, and the bytes of each.
pub(crate) const ERRORS_MAX: usize = 8;
pub(crate) const ERROR_BYTES_MAX: usize = 1_024;

/// The most entries of a batch.
pub(crate) const ENTRIES_MAX: usize = 16_384;

/// The most bytes of a batch: values, messages, keys. A batch is one frame of a journal.
pub(crate) const BATCH_BYTES_MAX: usize = 128 << 20;

/// The most runs of settled numbers that a stream or a partition may have; beyond it a batch is
/// refused. In steady state there is one run: each further one is a hole between. A service takes
/// nothing more of a stream before it comes there.
pub(crate) const RUNS_MAX: usize = 50_000;

/// What an entry costs in a journal beside its values, messages and keys, at most.
const ENTRY_BYTES: usize = 1_024;

/// A batch holds what no store takes. Nothing of it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// A state's key is too long.
    #[error(
        "a key of state {state:?} needs {bytes} bytes (a zero byte counts twice), {most} is the \
         limit: use shorter keys. It begins with {start:?}"
    )]
    Key {
        /// The state.
        state: String,
        /// How the key begins.
        start: String,
        /// What it needs.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// A state's value is too large.
    #[error(
        "state {state:?} of key {key:?} has {bytes} bytes, {most} is the limit: keep less in one \
         state, or split it over several keys"
    )]
    State {
        /// The state.
        state: String,
        /// The key.
        key: String,
        /// What it has.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// A message is too large.
    #[error(
        "a message {type_name:?} to topic {topic:?} has {bytes} bytes, {most} is the limit: send \
         less at a time, or a reference to it"
    )]
    Message {
        /// The topic.
        topic: String,
        /// The type.
        type_name: String,
        /// Bytes of key, headers and body.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// The name of an intake source is too long.
    #[error(
        "the name of an intake source needs {bytes} bytes (a zero byte counts twice), {most} is \
         the limit: use a shorter one. It begins with {start:?}"
    )]
    Source {
        /// How it begins.
        start: String,
        /// What it needs.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// An intake number has no next one.
    #[error("{number} cannot be a number of intake source {from:?}: nothing could follow it")]
    Number {
        /// The source.
        from: String,
        /// The number.
        number: u64,
    },
    /// A message that is to be kept is too large.
    #[error(
        "message {position} has {bytes} bytes, {most} is the limit of what can be kept: send less \
         at a time, or a reference to it"
    )]
    Kept {
        /// Which.
        position: String,
        /// Bytes of key, headers and body.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// The error of a failed attempt is too long.
    #[error(
        "a failed attempt at message {position} has {errors} errors of up to {bytes} bytes, \
         {ERRORS_MAX} of {ERROR_BYTES_MAX} is the limit: cut them"
    )]
    Failure {
        /// The message.
        position: String,
        /// How many errors.
        errors: usize,
        /// The bytes of the longest.
        bytes: usize,
    },
    /// The name under which a message waits, or its key, is too long.
    #[error(
        "what a message {type_name:?} to topic {topic:?} waits under has {bytes} bytes, {most} is \
         the limit for its name and for its key: use a shorter one. It begins with {start:?}"
    )]
    Name {
        /// The topic.
        topic: String,
        /// The type.
        type_name: String,
        /// How the name or the key begins.
        start: String,
        /// What it has.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// A batch is too large.
    #[error(
        "a commit of {entries} entries and {bytes} bytes is above the limits of {ENTRIES_MAX} and \
         {BATCH_BYTES_MAX}: commit less at a time"
    )]
    Batch {
        /// How many entries it has.
        entries: usize,
        /// How many bytes, about.
        bytes: usize,
    },
    /// Too much is missing of what is received.
    #[error(
        "what was received of {place} has more than {RUNS_MAX} holes: find out why so much of it \
         never comes"
    )]
    Holes {
        /// The stream or partition.
        place: String,
    },
}

/// Whether a store can hold what is in a batch.
pub(super) fn check(batch: &Batch) -> Result<(), LimitError> {
    let mut bytes = 0;
    for entry in &batch.entries {
        bytes += check_entry(entry)?;
    }
    if batch.entries.len() > ENTRIES_MAX || bytes > BATCH_BYTES_MAX {
        return Err(LimitError::Batch { entries: batch.entries.len(), bytes });
    }
    Ok(())
}

/// How many intake sources a store remembers; one more is refused.
pub(crate) const SOURCES_MAX: usize = 10_000;

/// The longest id of a message that is sent once, in bytes.
pub(crate) const ID_BYTES_MAX: usize = 400;

/// How many bytes an entry has, about, if each part of it is within its limit.
fn check_entry(entry: &Entry) -> Result<usize, LimitError> {
    let mut bytes = ENTRY_BYTES + entry.done.len() * 32;
    match &entry.subject {
        Subject::Intake { from: Some((source, number)) } => check_source(source, *number)?,
        Subject::Once(once) => bytes += once.source.len() + once.id.len(),
        Subject::Kept(keep) => bytes += check_keep(keep)?,
        Subject::Invalid(message) | Subject::InvalidOf { message, .. } => {
            bytes += stored_bytes(message)
        }
        Subject::InvalidTaken { keeps, .. } => {
            for keep in keeps {
                bytes += ENTRY_BYTES + check_keep(keep)?;
            }
        }
        Subject::Taken { handlers, message: Some(message), .. } => {
            let stored = message.headers.as_bytes().len() + message.body.len();
            bytes += stored.saturating_mul(handlers.len());
        }
        Subject::Scheduled(schedule) => bytes += schedule.name.len() + schedule.cron.len(),
        Subject::HolesPassed { runs, .. } => bytes += 20 * runs.len(),
        Subject::StateSet(set) => bytes += check_state(&set.name, &set.key, set.value.as_ref())?,
        _ => {}
    }
    for cancel in &entry.cancels {
        bytes += check_cancel(cancel)?;
    }
    for touch in &entry.states {
        let value = match &touch.change {
            StateChange::Put(value) => Some(value),
            StateChange::Same | StateChange::Delete => None,
        };
        bytes += check_state(&touch.name, &touch.key, value)?;
    }
    for message in &entry.sends {
        bytes += ENTRY_BYTES + check_message(message)?;
    }
    Ok(bytes)
}

/// How many bytes a state has with its key, if both are within their limits.
fn check_state(name: &str, key: &str, value: Option<&StateValue>) -> Result<usize, LimitError> {
    let (stored, most) = (stored_len(key), KEY_BYTES_MAX);
    if stored > most {
        let (state, start) = (name.to_owned(), start(key));
        return Err(LimitError::Key { state, start, bytes: stored, most });
    }
    let Some(value) = value else { return Ok(0) };
    let (length, most) = (value.json.len(), ROW_BYTES_MAX);
    if length > most {
        let (state, key) = (name.to_owned(), key.to_owned());
        return Err(LimitError::State { state, key, bytes: length, most });
    }
    Ok(stored + length)
}

fn check_message(message: &Message) -> Result<usize, LimitError> {
    let key = message.key.as_ref().map_or(0, |key| key.len());
    let bytes = key + message.headers.as_bytes().len() + message.body.len();
    if bytes > ROW_BYTES_MAX {
        let (topic, type_name) = (message.topic.to_string(), message.type_name.to_string());
        return Err(LimitError::Message { topic, type_name, bytes, most: ROW_BYTES_MAX });
    }
    if message.release == Release::Now {
        return Ok(bytes);
    }
    let (topic, type_name) = (&message.topic, &message.type_name);
    Ok(bytes + check_waits(topic, type_name, message.key.as_deref(), message.name.as_deref())?)
}

/// How many bytes a cancel has, if its name is within the limit.
fn check_cancel(cancel: &Cancel) -> Result<usize, LimitError> {
    check_waits(&cancel.topic, &cancel.type_name, cancel.key.as_deref(), Some(&cancel.name))
}

/// How many bytes that has under which a message waits. A store finds it at the beginning of a row.
fn check_waits(
    topic: &str,
    type_name: &str,
    key: Option<&str>,
    name: Option<&str>,
) -> Result<usize, LimitError> {
    for (text, most) in [(key, MESSAGE_KEY_BYTES_MAX), (name, NAME_BYTES_MAX)] {
        if let Some(text) = text.filter(|text| text.len() > most) {
            let (topic, type_name) = (topic.to_owned(), type_name.to_owned());
            let (start, bytes) = (start(text), text.len());
            return Err(LimitError::Name { topic, type_name, start, bytes, most });
        }
    }
    Ok(key.map_or(0, str::len) + name.map_or(0, str::len))
}

/// How many bytes a delivery has that is to be kept.
fn check_keep(keep: &Keep) -> Result<usize, LimitError> {
    let mut bytes = 0;
    if let Some(message) = &keep.message {
        bytes += message.key.as_ref().map_or(0, |key| key.len());
        bytes += message.headers.as_bytes().len() + message.body.len();
        // The number of each handler.
        bytes += 5 * keep.handlers.len();
        if bytes > KEPT_BYTES_MAX {
            let (position, most) = (keep.position.to_string(), KEPT_BYTES_MAX);
            return Err(LimitError::Kept { position, bytes, most });
        }
    }
    if let Some(Failure { errors, .. }) = &keep.failure {
        let longest = errors.iter().map(String::len).max().unwrap_or(0);
        if errors.len() > ERRORS_MAX || longest > ERROR_BYTES_MAX {
            let (position, errors) = (keep.position.to_string(), errors.len());
            return Err(LimitError::Failure { position, errors, bytes: longest });
        }
        bytes += errors.iter().map(String::len).sum::<usize>();
    }
    Ok(bytes)
}

fn check_source(source: &str, number: u64) -> Result<(), LimitError> {
    let (bytes, most) = (stored_len(source), KEY_BYTES_MAX);
    if bytes > most {
        return Err(LimitError::Source { start: start(source), bytes, most });
    }
    if number == u64::MAX {
        return Err(LimitError::Number { from: source.to_owned(), number });
    }
    Ok(())
}

/// A zero byte in a key is stored as two.
fn stored_len(key: &str) -> usize {
    // A short key is within the limit whatever its bytes.
    if key.len() <= KEY_BYTES_MAX / 2 {
        return key.len();
    }
    key.len() + key.bytes().filter(|byte| *byte == 0).count()
}

fn start(key: &str) -> String {
    key.chars().take(40).collect()
}
