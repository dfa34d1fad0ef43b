//! What an operator's tool asks, and what it is answered: a line of JSON each, with a version.
//! `docs/guide/operations.md` describes it.

use serde::{Deserialize, Serialize};

use crate::dead_letters::{
    DeadLetter, DeadLetterDetail, Done, Filter, Hold, InvalidDetail, InvalidEntry, Page, Which,
};
use crate::operator::OperatorError;
use crate::status::Status;

/// The version of questions and answers. A new one gets a new number.
const VERSION: u32 = 1;

/// A question. New ones may come; the names of these stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub(crate) enum Ask {
    /// How the service is doing.
    Status,
    /// Dead letters, in short.
    DeadLetters {
        #[serde(default)]
        filter: Filter,
    },
    /// How many dead letters there are.
    CountDeadLetters {
        #[serde(default)]
        filter: Filter,
    },
    /// All about one dead letter.
    DeadLetter { number: u64 },
    /// Have dead letters handled again.
    Replay { which: Which },
    /// Give dead letters up.
    Discard { which: Which },
    /// What waits, and for what.
    Holds { after: Option<u64>, limit: Option<usize> },
    /// Records that are no message, in short.
    InvalidMessages {
        #[serde(default)]
        filter: Filter,
    },
    /// How many records that are no message there are.
    CountInvalidMessages {
        #[serde(default)]
        filter: Filter,
    },
    /// All of one record that is no message.
    InvalidMessage { number: u64 },
    /// Take records that are no message off their list.
    DiscardInvalidMessages { which: Which },
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub(crate) enum Answer {
    Status { status: Box<Status> },
    DeadLetters(Page<DeadLetter>),
    DeadLetter { letter: Option<Box<DeadLetterDetail>> },
    Holds(Page<Hold>),
    InvalidMessages(Page<InvalidEntry>),
    InvalidMessage { message: Option<Box<InvalidDetail>> },
    Count { count: u64 },
    Done(Done),
    Error { kind: Trouble, message: String },
}

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Trouble {
    /// The question cannot be read.
    Question,
    /// It is of a version that is not spoken here.
    Version,
    /// Too many connections are open.
    Connections,
    /// Too many requests wait.
    Busy,
    /// The service has ended.
    Ended,
    /// The store failed.
    Store,
}

/// A question or an answer on its way.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line<T> {
    version: u32,
    #[serde(flatten)]
    pub(crate) what: T,
}

impl<T: Serialize> Line<T> {
    pub(crate) fn of(what: T) -> Self {
        Line { version: VERSION, what }
    }

    /// As it travels.
    pub(crate) fn written(&self) -> Vec<u8> {
        // Neither has a map whose keys are no text, the one thing that JSON cannot write.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// Reads a question; one that cannot be read has its answer already.
pub(super) fn read(line: &[u8]) -> Result<Ask, Answer> {
    let error = |kind, message| Err(Answer::Error { kind, message });
    if line.len() > super::ASK_BYTES_MAX {
        let message = format!("a question has at most {} bytes", super::ASK_BYTES_MAX);
        return error(Trouble::Question, message);
    }
    match serde_json::from_slice(line) {
        Ok(Version { version: VERSION }) => {}
        Ok(Version { version }) => {
            let message = format!("version {version} is not spoken here, but version {VERSION}");
            return error(Trouble::Version, message);
        }
        Err(bad) => return error(Trouble::Question, format!("it cannot be read: {bad}")),
    }
    match serde_json::from_slice::<Line<Ask>>(line) {
        Ok(line) => Ok(line.what),
        Err(bad) => error(Trouble::Question, format!("it cannot be read: {bad}")),
    }
}

impl From<OperatorError> for Answer {
    fn from(error: OperatorError) -> Self {
        let kind = match error {
            OperatorError::Ended => Trouble::Ended,
            OperatorError::Busy { .. } => Trouble::Busy,
            OperatorError::Store(_) => Trouble::Store,
        };
        Answer::Error { kind, message: error.to_string() }
    }
}
