//! Who sends numbered messages into a service.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{ITEMS_MAX, Question};
use crate::dead_letters::Page;
use crate::operator::{Desk, OperatorError};
use crate::sources::{Source, Sources};

/// The sources, in the order of their names.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct List {
    pub(crate) after: Option<String>,
    pub(crate) limit: Option<usize>,
}

#[async_trait]
impl Question for List {
    const ASK: &'static str = "sources";
    type Answer = Page<Source, Arc<str>>;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Page<Source, Arc<str>>, OperatorError> {
        let most = self.limit.unwrap_or(ITEMS_MAX).min(ITEMS_MAX);
        Sources { desk: Arc::clone(desk) }.list(self.after.as_deref(), most).await
    }
}

/// Forget a source, and which numbers it has sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Retire {
    pub(crate) source: String,
}

/// Whether there was a source of that name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retired {
    pub(crate) retired: bool,
}

#[async_trait]
impl Question for Retire {
    const ASK: &'static str = "retire_source";
    const ANSWER: &'static str = "retired";
    const CHANGES: bool = true;
    type Answer = Retired;

    async fn answer(self, desk: &Arc<Desk>) -> Result<Retired, OperatorError> {
        let retired = Sources { desk: Arc::clone(desk) }.retire(&self.source).await?;
        Ok(Retired { retired })
    }
}
