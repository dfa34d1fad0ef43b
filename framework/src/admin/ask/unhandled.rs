//! Messages of types that no handler takes.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::dead_letters::Counted;
use super::{ITEMS_MAX, Question};
use crate::dead_letters::{
    DeadLetters, Done, Filter, Page, UnhandledDetail, UnhandledEntry, UnhandledMessages, Which,
};
use crate::operator::{Desk, OperatorError};

fn unhandled(desk: &Arc<Desk>) -> UnhandledMessages {
    DeadLetters { desk: Arc::clone(desk) }.unhandled()
}

/// Messages that no handler takes, in short.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct List {
    #[serde(default)]
    pub(crate) filter: Filter,
}

#[async_trait]
impl Question for List {
    const ASK: &'static str = "unhandled_messages";
    type Answer = Page<UnhandledEntry>;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Page<UnhandledEntry>, OperatorError> {
        unhandled(desk).list(&self.filter.limited(ITEMS_MAX)).await
    }
}

/// How many messages that no handler takes there are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Count {
    #[serde(default)]
    pub(crate) filter: Filter,
}

#[async_trait]
impl Question for Count {
    const ASK: &'static str = "count_unhandled_messages";
    const ANSWER: &'static str = "count";
    type Answer = Counted;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Counted, OperatorError> {
        Ok(Counted { count: unhandled(desk).count(&self.filter).await? })
    }
}

/// All of one message that no handler takes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Show {
    pub(crate) number: u64,
}

/// A message that no handler takes, if there is one of that number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) message: Option<Box<UnhandledDetail>>,
}

#[async_trait]
impl Question for Show {
    const ASK: &'static str = "unhandled_message";
    type Answer = Shown;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Shown, OperatorError> {
        Ok(Shown { message: unhandled(desk).show(self.number).await?.map(Box::new) })
    }
}

/// Take messages that no handler takes off their list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Discard {
    pub(crate) which: Which,
}

#[async_trait]
impl Question for Discard {
    const ASK: &'static str = "discard_unhandled_messages";
    const ANSWER: &'static str = "done";
    const CHANGES: bool = true;
    type Answer = Done;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Done, OperatorError> {
        unhandled(desk).discard(self.which).await
    }
}
