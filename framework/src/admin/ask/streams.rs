//! Streams that others send.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Question;
use crate::operator::{Desk, OperatorError};

/// Take the holes of a stream for lost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AcceptLost {
    pub(crate) stream: String,
}

/// Whether there is such a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Accepted {
    pub(crate) found: bool,
}

#[async_trait]
impl Question for AcceptLost {
    const ASK: &'static str = "accept_lost";
    const ANSWER: &'static str = "accepted";
    const CHANGES: bool = true;
    type Answer = Accepted;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Accepted, OperatorError> {
        Ok(Accepted { found: desk.accept_lost(&self.stream).await? })
    }
}
