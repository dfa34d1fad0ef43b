//! Dead letters, and what waits for what.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{ITEMS_MAX, Question};
use crate::dead_letters::{
    DeadLetter, DeadLetterDetail, DeadLetters, Done, Filter, Hold, Page, Which,
};
use crate::operator::{Desk, OperatorError};

fn letters(desk: &Arc<Desk>) -> DeadLetters {
    DeadLetters { desk: Arc::clone(desk) }
}

/// Dead letters, in short.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct List {
    #[serde(default)]
    pub(crate) filter: Filter,
}

#[async_trait]
impl Question for List {
    const ASK: &'static str = "dead_letters";
    type Answer = Page<DeadLetter>;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Page<DeadLetter>, OperatorError> {
        letters(desk).list(&self.filter.limited(ITEMS_MAX)).await
    }
}

/// How many there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) count: u64,
}

/// How many dead letters there are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Count {
    #[serde(default)]
    pub(crate) filter: Filter,
}

#[async_trait]
impl Question for Count {
    const ASK: &'static str = "count_dead_letters";
    const ANSWER: &'static str = "count";
    type Answer = Counted;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Counted, OperatorError> {
        Ok(Counted { count: letters(desk).count(&self.filter).await? })
    }
}

/// All about one dead letter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Show {
    pub(crate) number: u64,
}

/// A dead letter, if there is one of that number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) letter: Option<Box<DeadLetterDetail>>,
}

#[async_trait]
impl Question for Show {
    const ASK: &'static str = "dead_letter";
    type Answer = Shown;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Shown, OperatorError> {
        Ok(Shown { letter: letters(desk).show(self.number).await?.map(Box::new) })
    }
}

/// Have dead letters handled again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Replay {
    pub(crate) which: Which,
}

#[async_trait]
impl Question for Replay {
    const ASK: &'static str = "replay";
    const ANSWER: &'static str = "done";
    const CHANGES: bool = true;
    type Answer = Done;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Done, OperatorError> {
        letters(desk).replay(self.which).await
    }
}

/// Give dead letters up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Discard {
    pub(crate) which: Which,
}

#[async_trait]
impl Question for Discard {
    const ASK: &'static str = "discard";
    const ANSWER: &'static str = "done";
    const CHANGES: bool = true;
    type Answer = Done;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Done, OperatorError> {
        letters(desk).discard(self.which).await
    }
}

/// What waits, and for what.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Holds {
    pub(crate) after: Option<u64>,
    pub(crate) limit: Option<usize>,
}

#[async_trait]
impl Question for Holds {
    const ASK: &'static str = "holds";
    type Answer = Page<Hold>;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Page<Hold>, OperatorError> {
        let most = self.limit.unwrap_or(ITEMS_MAX).min(ITEMS_MAX);
        letters(desk).holds(self.after, most).await
    }
}
