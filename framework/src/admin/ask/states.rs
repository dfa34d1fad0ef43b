//! States as they are stored.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{ITEMS_MAX, Question};
use crate::dead_letters::Page;
use crate::operator::{Desk, OperatorError};
use crate::raw_states::{KeyFilter, NewState, RawEntry, RawState, RawStates, StateName};

fn states(desk: &Arc<Desk>) -> RawStates {
    RawStates { desk: Arc::clone(desk) }
}

/// The names of all states.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Names {}

#[async_trait]
impl Question for Names {
    const ASK: &'static str = "state_names";
    type Answer = Page<StateName, String>;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Self::Answer, OperatorError> {
        Ok(Page { items: states(desk).names().await?, next: None })
    }
}

/// The keys that have a state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct List {
    pub(crate) name: String,
    pub(crate) prefix: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) limit: Option<usize>,
}

#[async_trait]
impl Question for List {
    const ASK: &'static str = "states";
    type Answer = Page<RawEntry, String>;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Self::Answer, OperatorError> {
        let mut filter = KeyFilter::new().limit(self.limit.unwrap_or(ITEMS_MAX).min(ITEMS_MAX));
        if let Some(prefix) = self.prefix {
            filter = filter.prefix(prefix);
        }
        if let Some(after) = self.after {
            filter = filter.after(after);
        }
        states(desk).list(&self.name, &filter).await
    }
}

/// A key's state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Get {
    pub(crate) name: String,
    pub(crate) key: String,
}

/// A state, if the key has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) state: Option<Box<RawState>>,
}

#[async_trait]
impl Question for Get {
    const ASK: &'static str = "state";
    type Answer = Found;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Found, OperatorError> {
        Ok(Found { state: states(desk).get(&self.name, &self.key).await?.map(Box::new) })
    }
}

/// Give a key a state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Set {
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) json: String,
    pub(crate) type_version: Option<u32>,
    pub(crate) expected: Option<u64>,
}

/// Whether a state was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Changed {
    pub(crate) changed: bool,
}

#[async_trait]
impl Question for Set {
    const ASK: &'static str = "set_state";
    const ANSWER: &'static str = "state_changed";
    const CHANGES: bool = true;
    type Answer = Changed;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Changed, OperatorError> {
        let mut state = NewState::json(self.json);
        if let Some(version) = self.type_version {
            state = state.type_version(version);
        }
        if let Some(expected) = self.expected {
            state = state.expected(expected);
        }
        states(desk).set(&self.name, &self.key, state).await?;
        Ok(Changed { changed: true })
    }
}

/// Take a key's state away.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Remove {
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) expected: Option<u64>,
}

#[async_trait]
impl Question for Remove {
    const ASK: &'static str = "remove_state";
    const ANSWER: &'static str = "state_changed";
    const CHANGES: bool = true;
    type Answer = Changed;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Changed, OperatorError> {
        let changed = states(desk).remove(&self.name, &self.key, self.expected).await?;
        Ok(Changed { changed })
    }
}
