//! What waits for its time.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::dead_letters::Counted;
use super::{ITEMS_MAX, Question};
use crate::dead_letters::{Done, Page};
use crate::operator::{Desk, OperatorError};
use crate::timers::{TimerEntry, TimerFilter, Timers, WhichTimers};

fn timers(desk: &Arc<Desk>) -> Timers {
    Timers { desk: Arc::clone(desk) }
}

/// What waits for its time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct List {
    #[serde(default)]
    pub(crate) filter: TimerFilter,
}

#[async_trait]
impl Question for List {
    const ASK: &'static str = "timers";
    type Answer = Page<TimerEntry, String>;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Self::Answer, OperatorError> {
        timers(desk).list(&self.filter.limited(ITEMS_MAX)).await
    }
}

/// How much waits for its time.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Count {
    #[serde(default)]
    pub(crate) filter: TimerFilter,
}

#[async_trait]
impl Question for Count {
    const ASK: &'static str = "count_timers";
    const ANSWER: &'static str = "count";
    type Answer = Counted;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Counted, OperatorError> {
        Ok(Counted { count: timers(desk).count(&self.filter).await? })
    }
}

/// Have what waits for its time not sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cancel {
    pub(crate) which: WhichTimers,
}

#[async_trait]
impl Question for Cancel {
    const ASK: &'static str = "cancel_timers";
    const ANSWER: &'static str = "done";
    const CHANGES: bool = true;
    type Answer = Done;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Done, OperatorError> {
        timers(desk).cancel(self.which).await
    }
}
