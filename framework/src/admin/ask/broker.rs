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
