//! Sources: who sends numbered messages into a service, to be looked at and retired.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::dead_letters::Page;
use crate::operator::{Act, Desk, Fate, OperatorError};

/// The sources of a service's numbered messages: those of
/// [`Producer::send_from`](crate::Producer::send_from). A clone is the same handle.
///
/// A service remembers a source, and which numbers it has sent, until it is retired; there are
/// 10,000 at most.
#[derive(Clone, Debug)]
pub struct Sources {
    pub(crate) desk: Arc<Desk>,
}

/// A source of numbered messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Source {
    /// Its name.
    pub name: Arc<str>,
    /// The number that it sends next: one above the highest that is durable.
    pub next: u64,
}

impl Sources {
    /// Up to `most` of them in the order of their names, those behind `after`.
    pub async fn list(
        &self,
        after: Option<&str>,
        most: usize,
    ) -> Result<Page<Source, Arc<str>>, OperatorError> {
        let mut found = self.desk.reader.sources(after.map(Into::into), most + 1).await?;
        let is_more = found.len() > most;
        found.truncate(most);
        let next = found.last().filter(|_| is_more).map(|(name, _)| Arc::clone(name));
        let items = found.into_iter().map(|(name, next)| Source { name, next }).collect();
        Ok(Page { items, next })
    }

    /// Forgets a source, durably; whether there was one of that name.
    ///
    /// **What it has sent counts as never sent from then on.** Whoever sends from it again, from
    /// the first number on, has every message handled a second time. Retire only what will never
    /// send again: the file that was read to its end and is gone.
    pub async fn retire(&self, name: &str) -> Result<bool, OperatorError> {
        let done = self.desk.operate.act(Act::RetireSource(name.into())).await?;
        Ok(done.contains(&Fate::Done))
    }
}
