//! Which dead letters, invalid or unhandled messages, are meant.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::store::{Kept, Wait};
use crate::stream::Key;

/// Which dead letters, invalid or unhandled messages, are meant: those that fit all that is said.
/// Nothing said: all.
///
/// ```
/// use framework::dead_letters::Filter;
/// let filter = Filter::new().handler("deposit").key("ada").error("over the limit").limit(20);
/// # let _ = filter;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Key>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    type_name: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
}

/// Some by their numbers, or those that a filter lets through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Which {
    /// Those of these numbers.
    Numbers(Vec<u64>),
    /// All that the filter lets through; up to its limit, if it has one.
    All(Filter),
}

impl Filter {
    /// Lets everything through.
    pub fn new() -> Self {
        Filter::default()
    }

    /// Those of the handler of that name. An invalid message has no handler, and neither has one of
    /// a type that no handler takes: none fits.
    #[must_use]
    pub fn handler(mut self, handler: impl Into<Arc<str>>) -> Self {
        self.handler = Some(handler.into());
        self
    }

    /// Those of that key; of an invalid message, the broker's key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Key>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Those whose last error, or one that it was caused by, has this text in it, in upper or lower
    /// case; of an invalid message, what is wrong with it.
    #[must_use]
    pub fn error(mut self, text: &str) -> Self {
        self.error = Some(text.to_lowercase());
        self
    }

    /// Those of that type; of records that are no message none fits.
    #[must_use]
    pub fn type_name(mut self, type_name: impl Into<Arc<str>>) -> Self {
        self.type_name = Some(type_name.into());
        self
    }

    /// Those that were given up, or came, at this time or later: milliseconds since 1970.
    #[must_use]
    pub fn since_ms(mut self, since_ms: u64) -> Self {
        self.since_ms = Some(since_ms);
        self
    }

    /// Those that were given up, or came, before this time: milliseconds since 1970.
    #[must_use]
    pub fn until_ms(mut self, until_ms: u64) -> Self {
        self.until_ms = Some(until_ms);
        self
    }

    /// Those with higher numbers than this one: to read a list on.
    #[must_use]
    pub fn after(mut self, number: u64) -> Self {
        self.after = Some(number);
        self
    }

    /// At most so many, the lowest numbers first. Unless it is said, a list has 100, and a replay
    /// or a discarding no limit.
    #[must_use]
    pub fn limit(mut self, most: usize) -> Self {
        self.limit = Some(most);
        self
    }

    pub(super) fn limit_or(&self, otherwise: usize) -> usize {
        self.limit.unwrap_or(otherwise)
    }

    /// The filter with at most that limit, and with that of a list unless it has one.
    pub(crate) fn limited(&self, most: usize) -> Self {
        self.clone().limit(self.limit_or(super::PAGE_LISTED).min(most))
    }

    /// Whether a dead letter's message has to be read to know whether it is let through.
    pub(super) fn asks_for_messages(&self) -> bool {
        self.error.is_some() || self.type_name.is_some()
    }

    pub(super) fn admits_type(&self, type_name: Option<&str>) -> bool {
        self.type_name.as_deref().is_none_or(|asked| type_name == Some(asked))
    }

    /// Whether it lets a dead letter through, but for its error.
    pub(super) fn admits(&self, kept: &Kept) -> bool {
        let Wait::Dead { since_ms, .. } = kept.wait else { return false };
        self.admits_handler(Some(&kept.handler))
            && self.admits_rest(kept.number, kept.key.as_deref(), since_ms)
    }

    pub(super) fn admits_handler(&self, handler: Option<&str>) -> bool {
        self.handler.as_deref().is_none_or(|asked| handler == Some(asked))
    }

    pub(super) fn admits_rest(&self, number: u64, key: Option<&str>, at_ms: u64) -> bool {
        self.after.is_none_or(|after| number > after)
            && self.key.as_deref().is_none_or(|asked| key == Some(asked))
            && self.since_ms.is_none_or(|since| at_ms >= since)
            && self.until_ms.is_none_or(|until| at_ms < until)
    }

    pub(super) fn admits_error(&self, error: &str) -> bool {
        // One that came as JSON may have upper case still.
        let asked = self.error.as_ref().map(|asked| asked.to_lowercase());
        asked.is_none_or(|asked| error.to_lowercase().contains(&asked))
    }

    /// Where reading begins.
    pub(super) fn first_after(&self) -> Option<u64> {
        self.after
    }
}

impl From<u64> for Which {
    fn from(number: u64) -> Self {
        Which::Numbers(vec![number])
    }
}

impl From<Vec<u64>> for Which {
    fn from(numbers: Vec<u64>) -> Self {
        Which::Numbers(numbers)
    }
}

impl<const N: usize> From<[u64; N]> for Which {
    fn from(numbers: [u64; N]) -> Self {
        Which::Numbers(numbers.into())
    }
}

impl From<Filter> for Which {
    fn from(filter: Filter) -> Self {
        Which::All(filter)
    }
}
