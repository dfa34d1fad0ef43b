//! The questions that can be asked of a service: a file for what belongs together, and a line for
//! each question in the list below.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::protocol::{self, Refusal};
use crate::operator::{Desk, OperatorError};

pub(crate) mod broker;
pub(crate) mod dead_letters;
pub(crate) mod invalid;
pub(crate) mod sources;
pub(crate) mod states;
pub(crate) mod status;
pub(crate) mod streams;
pub(crate) mod timers;
pub(crate) mod unhandled;

/// How many items one answer has at most.
pub(super) const ITEMS_MAX: usize = 1_000;

/// A question: its name, what is asked with it (its fields), and how it is answered. New ones may
/// come; names and fields of these stay.
#[async_trait]
pub(crate) trait Question: Serialize + DeserializeOwned + Clone + Send + Sync {
    /// What a question says under `ask`.
    const ASK: &'static str;
    /// What its answer says under `answer`.
    const ANSWER: &'static str = Self::ASK;
    /// Whether something is changed by it, which may take its time.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the tool alone asks"))]
    const CHANGES: bool = false;
    /// What else the answer has: written as a map.
    type Answer: Serialize + DeserializeOwned + Send + Sync;

    /// The answer. The desk is that of a running service, or of a store that the tool has opened.
    async fn answer(self, desk: &Arc<Desk>) -> Result<Self::Answer, OperatorError>;
}

/// Answers a question by its name: each in a line as it travels.
macro_rules! questions {
    ($($question:ty),* $(,)?) => {
        pub(super) async fn answer(desk: &Arc<Desk>, ask: &str, line: &[u8]) -> Vec<u8> {
            let answered = match ask {
                $(<$question as Question>::ASK => one::<$question>(desk, line).await,)*
                _ => Err(Refusal::unknown(ask, &[$(<$question as Question>::ASK),*])),
            };
            answered.unwrap_or_else(|refusal| refusal.written())
        }
    };
}

questions! {
    status::Ask,
    streams::AcceptLost,
    broker::Ask,
    broker::ForgetConsumer,
    dead_letters::List,
    dead_letters::Count,
    dead_letters::Show,
    dead_letters::Replay,
    dead_letters::Discard,
    dead_letters::Holds,
    invalid::List,
    invalid::Count,
    invalid::Show,
    invalid::Replay,
    invalid::Discard,
    unhandled::List,
    unhandled::Count,
    unhandled::Show,
    unhandled::Discard,
    states::Names,
    states::List,
    states::Get,
    states::Set,
    states::Remove,
    timers::List,
    timers::Count,
    timers::Cancel,
    sources::List,
    sources::Retire,
}

async fn one<Q: Question>(desk: &Arc<Desk>, line: &[u8]) -> Result<Vec<u8>, Refusal> {
    let question: Q = serde_json::from_slice(line).map_err(|bad| Refusal::unreadable(&bad))?;
    let answer = question.answer(desk).await?;
    Ok(protocol::written(Q::ANSWER, &answer))
}
