//! How a question and its answer travel: a line of JSON each, with a version.
//! `docs/guide/operations.md` describes it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ask;
use crate::operator::{Desk, OperatorError};

/// The version of questions and answers. A new one gets a new number.
pub(super) const VERSION: u32 = 1;

/// A question that is not answered, and why: an answer of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) kind: Trouble,
    pub(crate) message: String,
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
    /// What it asks for cannot be done.
    Refused,
    /// The store failed.
    Store,
    /// The broker did not do it.
    Broker,
}

impl Refusal {
    pub(super) const ANSWER: &'static str = "error";

    pub(super) fn of(kind: Trouble, message: impl Into<String>) -> Self {
        Refusal { kind, message: message.into() }
    }

    pub(super) fn unreadable(bad: &serde_json::Error) -> Self {
        Refusal::of(Trouble::Question, format!("it cannot be read: {bad}"))
    }

    pub(super) fn unknown(ask: &str, known: &[&str]) -> Self {
        let known = known.join(", ");
        let message = format!("it cannot be read: {ask:?} cannot be asked, but one of {known}");
        Refusal::of(Trouble::Question, message)
    }
}

impl From<OperatorError> for Refusal {
    fn from(error: OperatorError) -> Self {
        let kind = match error {
            OperatorError::Ended | OperatorError::NotRunning => Trouble::Ended,
            OperatorError::Busy { .. } => Trouble::Busy,
            OperatorError::Refused { .. } => Trouble::Refused,
            OperatorError::Store(_) => Trouble::Store,
            OperatorError::Broker(_) => Trouble::Broker,
        };
        Refusal { kind, message: error.to_string() }
    }
}

/// What a line begins with.
#[derive(Deserialize)]
pub(super) struct Head {
    pub(super) version: u32,
    ask: Option<String>,
    #[cfg(feature = "cli")]
    pub(super) answer: Option<String>,
}

#[derive(Serialize)]
struct Answering<'a, A> {
    version: u32,
    answer: &'static str,
    #[serde(flatten)]
    what: &'a A,
}

pub(super) fn line(of: &impl Serialize) -> Vec<u8> {
    // Nothing has a map whose keys are no text, the one thing that JSON cannot write.
    let mut line = serde_json::to_vec(of).unwrap_or_default();
    line.push(b'\n');
    line
}

/// An answer as it travels.
pub(super) fn written(answer: &'static str, what: &impl Serialize) -> Vec<u8> {
    line(&Answering { version: VERSION, answer, what })
}

/// Answers a question as it came: the answer as it travels.
pub(super) async fn answer(desk: &Arc<Desk>, line: &[u8]) -> Vec<u8> {
    match asked(line) {
        Ok(name) => ask::answer(desk, &name, line).await,
        Err(refusal) => refusal.written(),
    }
}

impl Refusal {
    pub(super) fn written(&self) -> Vec<u8> {
        written(Refusal::ANSWER, self)
    }
}

/// What a line asks, by name.
fn asked(line: &[u8]) -> Result<String, Refusal> {
    if line.len() > super::ASK_BYTES_MAX {
        let message = format!("a question has at most {} bytes", super::ASK_BYTES_MAX);
        return Err(Refusal::of(Trouble::Question, message));
    }
    match serde_json::from_slice(line) {
        Ok(Head { version: VERSION, ask: Some(ask), .. }) => Ok(ask),
        Ok(Head { version: VERSION, .. }) => {
            Err(Refusal::of(Trouble::Question, "it cannot be read: it has no \"ask\""))
        }
        Ok(Head { version, .. }) => {
            let message = format!("version {version} is not spoken here, but version {VERSION}");
            Err(Refusal::of(Trouble::Version, message))
        }
        Err(bad) => Err(Refusal::unreadable(&bad)),
    }
}
