//! Which timers are meant.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::store::Timer;
use crate::stream::Key;

/// Which messages that wait for their time are meant: those that fit all that is said. Nothing
/// said: all.
///
/// ```
/// use framework::timers::TimerFilter;
/// let filter = TimerFilter::new().topic("reminders").key("ada").handler("invite").limit(20);
/// # let _ = filter;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimerFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    type_name: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Key>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<usize>,
}

/// Some by their numbers, or those that a filter lets through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WhichTimers {
    /// Those of these numbers.
    Numbers(Vec<u64>),
    /// All that the filter lets through; up to its limit, if it has one.
    All(TimerFilter),
}

impl TimerFilter {
    /// Lets everything through.
    pub fn new() -> Self {
        TimerFilter::default()
    }

    /// Those to that topic.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<Arc<str>>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Those of the type of that name.
    #[must_use]
    pub fn type_name(mut self, type_name: impl Into<Arc<str>>) -> Self {
        self.type_name = Some(type_name.into());
        self
    }

    /// Those of that key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Key>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Those that wait under that name.
    #[must_use]
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Those that the handler of that name sent.
    #[must_use]
    pub fn handler(mut self, handler: impl Into<Arc<str>>) -> Self {
        self.handler = Some(handler.into());
        self
    }

    /// Those that are due at this time or later: milliseconds since 1970.
    #[must_use]
    pub fn since_ms(mut self, since_ms: u64) -> Self {
        self.since_ms = Some(since_ms);
        self
    }

    /// Those that are due before this time: milliseconds since 1970.
    #[must_use]
    pub fn until_ms(mut self, until_ms: u64) -> Self {
        self.until_ms = Some(until_ms);
        self
    }

    /// Those behind this place: to read a list on, from what it said as
    /// [`next`](crate::dead_letters::Page::next). Nothing else heeds it.
    #[must_use]
    pub fn after(mut self, next: impl Into<String>) -> Self {
        self.after = Some(next.into());
        self
    }

    /// At most so many, the first that are due first. Unless it is said, a list has 100, and a
    /// cancelling no limit.
    #[must_use]
    pub fn limit(mut self, most: usize) -> Self {
        self.limit = Some(most);
        self
    }

    /// The filter with at most that limit, and with that of a list unless it has one.
    pub(crate) fn limited(self, most: usize) -> Self {
        let limit = self.limit.unwrap_or(super::PAGE_LISTED).min(most);
        self.limit(limit)
    }

    /// Whether all that it lets through is due before this time.
    pub(super) fn ends_before(&self, due_ms: u64) -> bool {
        self.until_ms.is_some_and(|until| due_ms >= until)
    }

    pub(super) fn admits(&self, timer: &Timer) -> bool {
        let fits = |asked: &Option<Arc<str>>, found: Option<&Arc<str>>| {
            asked.as_ref().is_none_or(|asked| found == Some(asked))
        };
        fits(&self.topic, Some(&timer.topic))
            && fits(&self.type_name, Some(&timer.type_name))
            && fits(&self.key, timer.key.as_ref())
            && fits(&self.name, timer.name.as_ref())
            && fits(&self.handler, timer.handler.as_ref())
            && self.since_ms.is_none_or(|since| timer.id.due_ms >= since)
            && !self.ends_before(timer.id.due_ms)
    }
}

impl From<u64> for WhichTimers {
    fn from(number: u64) -> Self {
        WhichTimers::Numbers(vec![number])
    }
}

impl From<Vec<u64>> for WhichTimers {
    fn from(numbers: Vec<u64>) -> Self {
        WhichTimers::Numbers(numbers)
    }
}

impl From<TimerFilter> for WhichTimers {
    fn from(filter: TimerFilter) -> Self {
        WhichTimers::All(filter)
    }
}
