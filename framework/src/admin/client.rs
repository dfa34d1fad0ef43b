//! The tool's side: a question as it travels, and its answer as it came.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ask::Question;
use super::protocol::{Head, Refusal, VERSION, line};

#[derive(Serialize)]
struct Asking<'a, Q> {
    version: u32,
    ask: &'static str,
    #[serde(flatten)]
    question: &'a Q,
}

/// A question as it travels.
pub(crate) fn asking<Q: Question>(question: &Q) -> Vec<u8> {
    line(&Asking { version: VERSION, ask: Q::ASK, question })
}

/// Why an answer is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("{0}")]
    Refused(String),
    #[error("the answer does not fit the question: is the tool of the service's version?")]
    Unlike,
    #[error("the answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// Reads the answer to a question of that type.
pub(crate) fn answered<Q: Question>(line: &[u8]) -> Result<Q::Answer, NoAnswer> {
    fn read<T: DeserializeOwned>(line: &[u8]) -> Result<T, NoAnswer> {
        Ok(serde_json::from_slice(line)?)
    }
    match read::<Head>(line)? {
        Head { version: VERSION, answer: Some(answer), .. } if answer == Q::ANSWER => read(line),
        Head { answer: Some(answer), .. } if answer == Refusal::ANSWER => {
            Err(NoAnswer::Refused(read::<Refusal>(line)?.message))
        }
        _ => Err(NoAnswer::Unlike),
    }
}
