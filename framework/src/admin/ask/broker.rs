//! How the broker of a service is doing.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Question;
use crate::broker::status::BrokerStatus;
use crate::operator::{Desk, OperatorError};

/// How the broker is doing: topics, who reads them, disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ask {}

/// A broker's status, if there is one and it tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) broker: Option<BrokerStatus>,
}

#[async_trait]
impl Question for Ask {
    const ASK: &'static str = "broker";
    type Answer = Answer;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Answer, OperatorError> {
        Ok(Answer { broker: desk.broker_status() })
    }
}

/// Have the broker forget a consumer that does not run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ForgetConsumer {
    pub(crate) consumer: String,
}

/// How many records it had not settled, which are given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Forgotten {
    pub(crate) behind: u64,
}

#[async_trait]
impl Question for ForgetConsumer {
    const ASK: &'static str = "forget_consumer";
    const CHANGES: bool = true;
    type Answer = Forgotten;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Forgotten, OperatorError> {
        Ok(Forgotten { behind: desk.forget_consumer(&self.consumer).await? })
    }
}
