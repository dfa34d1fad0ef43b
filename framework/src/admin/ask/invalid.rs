//! Records that are no message.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::dead_letters::Counted;
use super::{ITEMS_MAX, Question};
use crate::dead_letters::{
    DeadLetters, Done, Filter, InvalidDetail, InvalidEntry, InvalidMessages, Page, Which,
};
use crate::operator::{Desk, OperatorError};

fn invalid(desk: &Arc<Desk>) -> InvalidMessages {
    DeadLetters { desk: Arc::clone(desk) }.invalid()
}

/// Records that are no message, in short.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct List {
    #[serde(default)]
    pub(crate) filter: Filter,
}

#[async_trait]
impl Question for List {
    const ASK: &'static str = "invalid_messages";
    type Answer = Page<InvalidEntry>;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Page<InvalidEntry>, OperatorError> {
        invalid(desk).list(&self.filter.limited(ITEMS_MAX)).await
    }
}

/// How many records that are no message there are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Count {
    #[serde(default)]
    pub(crate) filter: Filter,
}

#[async_trait]
impl Question for Count {
    const ASK: &'static str = "count_invalid_messages";
    const ANSWER: &'static str = "count";
    type Answer = Counted;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Counted, OperatorError> {
        Ok(Counted { count: invalid(desk).count(&self.filter).await? })
    }
}

/// All of one record that is no message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Show {
    pub(crate) number: u64,
}

/// A record that is no message, if there is one of that number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) message: Option<Box<InvalidDetail>>,
}

#[async_trait]
impl Question for Show {
    const ASK: &'static str = "invalid_message";
    type Answer = Shown;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Shown, OperatorError> {
        Ok(Shown { message: invalid(desk).show(self.number).await?.map(Box::new) })
    }
}

/// Have records that are no message decoded again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Replay {
    pub(crate) which: Which,
}

#[async_trait]
impl Question for Replay {
    const ASK: &'static str = "replay_invalid_messages";
    const ANSWER: &'static str = "done";
    const CHANGES: bool = true;
    type Answer = Done;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Done, OperatorError> {
        invalid(desk).replay(self.which).await
    }
}

/// Take records that are no message off their list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Discard {
    pub(crate) which: Which,
}

#[async_trait]
impl Question for Discard {
    const ASK: &'static str = "discard_invalid_messages";
    const ANSWER: &'static str = "done";
    const CHANGES: bool = true;
    type Answer = Done;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Done, OperatorError> {
        invalid(desk).discard(self.which).await
    }
}
