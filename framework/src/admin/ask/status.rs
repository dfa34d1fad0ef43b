//! How a service is doing.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Question;
use crate::operator::{Desk, OperatorError};
use crate::status::Status;

/// How the service is doing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ask {}

/// A service's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) status: Box<Status>,
}

#[async_trait]
impl Question for Ask {
    const ASK: &'static str = "status";
    type Answer = Answer;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Answer, OperatorError> {
        Ok(Answer { status: Box::new(desk.status().await?) })
    }
}
