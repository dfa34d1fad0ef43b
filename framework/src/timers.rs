//! What waits for its time: an operator's view, and how to cancel it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::dead_letters::{Done, Page, act};
use crate::operator::{Act, Desk, OperatorError};
use crate::store::{Timer, TimerId};
use crate::stream::Key;

mod chosen;

pub use chosen::{TimerFilter, WhichTimers};

/// How many a list has, unless its filter says.
const PAGE_LISTED: usize = 100;

/// How many are read at a time, each with its message.
const PAGE: usize = 64;

/// Messages that wait for their time: sent with `.delay` or `.at`, and not due yet. A clone is the
/// same handle.
///
/// ```no_run
/// use framework::timers::TimerFilter;
/// # use framework::Service;
///
/// # async fn call_off(service: &Service) -> Result<(), Box<dyn std::error::Error>> {
/// let timers = service.timers();
/// for timer in timers.list(&TimerFilter::new().type_name("Reminder")).await?.items {
///     println!("{} of {:?} is due at {}", timer.number, timer.key, timer.due_ms);
/// }
/// let done = timers.cancel(TimerFilter::new().type_name("Reminder").key("ada")).await?;
/// println!("{} are cancelled", done.done.len());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Timers {
    pub(crate) desk: Arc<Desk>,
}

/// A message that waits for its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TimerEntry {
    /// Its number, by which it is cancelled; never used twice.
    pub number: u64,
    /// When it is due, milliseconds since 1970.
    pub due_ms: u64,
    /// The message's topic.
    pub topic: Arc<str>,
    /// Its type.
    pub type_name: Arc<str>,
    /// Its key.
    pub key: Option<Key>,
    /// The name under which it waits, if it has one.
    pub name: Option<Arc<str>>,
    /// The handler that sent it; `None` if it came from outside.
    pub handler: Option<Arc<str>>,
    /// Bytes of its headers and body.
    pub bytes: u64,
}

impl Timers {
    /// Those that a filter lets through, in the order of their times.
    pub async fn list(
        &self,
        filter: &TimerFilter,
    ) -> Result<Page<TimerEntry, String>, OperatorError> {
        let most = filter.limit.unwrap_or(PAGE_LISTED);
        let mut after = filter.after.as_deref().map(cursor).transpose()?;
        let mut items: Vec<TimerEntry> = Vec::new();
        loop {
            let page = self.desk.reader.timers(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(Page { items, next: None }) };
            after = Some(last.id);
            for timer in page {
                if filter.ends_before(timer.id.due_ms) {
                    return Ok(Page { items, next: None });
                }
                if !filter.admits(&timer) {
                    continue;
                }
                if items.len() >= most {
                    let next = items.last().map(|last| format!("{}-{}", last.due_ms, last.number));
                    return Ok(Page { items, next });
                }
                items.push(TimerEntry::of(timer));
            }
        }
    }

    /// How many a filter lets through, whatever its limit.
    pub async fn count(&self, filter: &TimerFilter) -> Result<u64, OperatorError> {
        Ok(self.numbers(&filter.clone().limit(usize::MAX)).await?.len() as u64)
    }

    /// Cancels some: by number, or those that a filter lets through at this moment. Returns when
    /// that is durable. Each is either cancelled or sent, and never both: one that was sent, or
    /// cancelled, meanwhile is told as missing.
    pub async fn cancel(
        &self,
        which: impl Into<WhichTimers> + Send,
    ) -> Result<Done, OperatorError> {
        let numbers = match which.into() {
            WhichTimers::Numbers(numbers) => numbers,
            WhichTimers::All(filter) => self.numbers(&filter).await?,
        };
        act(&self.desk, numbers, Act::CancelTimers).await
    }

    /// The numbers that a filter lets through: all, unless it has a limit.
    async fn numbers(&self, filter: &TimerFilter) -> Result<Vec<u64>, OperatorError> {
        let (mut after, most) = (None, filter.limit.unwrap_or(usize::MAX));
        let mut numbers = Vec::new();
        loop {
            let page = self.desk.reader.timers(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(numbers) };
            after = Some(last.id);
            let fit = page.iter().filter(|timer| filter.admits(timer));
            numbers.extend(fit.map(|timer| timer.id.number).take(most - numbers.len()));
            if numbers.len() >= most || filter.ends_before(last.id.due_ms) {
                return Ok(numbers);
            }
        }
    }
}

/// The place at which a list is read on.
fn cursor(text: &str) -> Result<TimerId, OperatorError> {
    let parts = text.split_once('-').and_then(|(due_ms, number)| {
        Some(TimerId { due_ms: due_ms.parse().ok()?, number: number.parse().ok()? })
    });
    parts.ok_or_else(|| {
        OperatorError::refused(format!(
            "{text:?} is no place to read the list on: give what the list said under `next`"
        ))
    })
}

impl TimerEntry {
    fn of(timer: Timer) -> Self {
        let Timer { id, topic, type_name, key, name, handler, bytes } = timer;
        let TimerId { due_ms, number } = id;
        let bytes = bytes as u64;
        TimerEntry { number, due_ms, topic, type_name, key, name, handler, bytes }
    }
}
