//! Records that are no message.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Body, Done, Filter, PAGE_LISTED, PAGE_MESSAGES, Page, Which, act, act_in};
use crate::envelope::Headers;
use crate::operator::{Act, Desk, OperatorError};
use crate::store::InvalidMessage;

/// The records that are no message: without a type, with attributes that cannot be read, or with
/// a digest that does not fit. They are kept as they came; no handler sees them, and nothing waits
/// for them. Once the program, or a limit, is mended, they are replayed. A clone is the same handle.
///
/// ```
/// use framework::Service;
/// use framework::dead_letters::Filter;
///
/// async fn mend(service: &Service) -> Result<(), framework::OperatorError> {
///     let invalid = service.dead_letters().invalid();
///     let done = invalid.replay(Filter::new().error("ce_type")).await?;
///     for left in done.refused {
///         println!("{} is no message still: {}", left.number, left.reason);
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct InvalidMessages {
    pub(super) desk: Arc<Desk>,
}

/// A record that is no message, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InvalidEntry {
    /// Its number, by which it is replayed or discarded.
    pub number: u64,
    /// When it came, milliseconds since 1970.
    pub at_ms: u64,
    /// Which record: topic, partition and offset.
    pub record: String,
    /// What is wrong with it.
    pub reason: String,
    /// The broker's key of it.
    pub key: Option<String>,
    /// Bytes of its headers and body.
    pub bytes: u64,
}

/// A record that is no message, with all that it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InvalidDetail {
    /// As a list shows it.
    pub entry: InvalidEntry,
    /// Its headers, in their order, byte for byte.
    pub headers: Vec<(Body, Body)>,
    /// Its body, byte for byte.
    pub body: Body,
}

impl InvalidMessages {
    /// Those that a filter lets through, in the order of their numbers.
    pub async fn list(&self, filter: &Filter) -> Result<Page<InvalidEntry>, OperatorError> {
        let most = filter.limit_or(PAGE_LISTED);
        let (mut items, mut after) = (Vec::new(), filter.first_after());
        loop {
            let page = self.desk.reader.invalid(after, PAGE_MESSAGES).await?;
            let Some((last, _)) = page.last() else { return Ok(Page { items, next: None }) };
            after = Some(*last);
            for (number, message) in &page {
                if admits(filter, *number, message) {
                    if items.len() == most {
                        let next = items.last().map(|last: &InvalidEntry| last.number);
                        return Ok(Page { items, next });
                    }
                    items.push(InvalidEntry::of(*number, message));
                }
            }
        }
    }

    /// How many a filter lets through, whatever its limit.
    pub async fn count(&self, filter: &Filter) -> Result<u64, OperatorError> {
        Ok(self.list(&filter.clone().limit(usize::MAX)).await?.items.len() as u64)
    }

    /// All of one; `None` if there is none of that number.
    pub async fn show(&self, number: u64) -> Result<Option<InvalidDetail>, OperatorError> {
        let found = self.desk.reader.invalid(number.checked_sub(1), 1).await?;
        let found = found.into_iter().find(|(found, _)| *found == number);
        Ok(found.map(|(number, message)| InvalidDetail::of(number, &message)))
    }

    /// Decodes them again, by number, or those that a filter lets through at this moment, as the
    /// running program decodes what comes now. One that is a message leaves the list, in one commit
    /// with what becomes of it:
    ///
    /// - it is stored for each handler that takes its type, and handled once: late for its key
    ///   ([`Late`](crate::argument::Late)), for later messages of the key have gone before it;
    /// - if no handler takes its type, it goes on that [list](super::UnhandledMessages), or is
    ///   settled, if the app ignores the type;
    /// - if another copy of it was taken meanwhile, it has no further effect.
    ///
    /// One that is no message still stays, and is among those that were refused, with the reason.
    /// So does one of which only a part is stored, since it was too long.
    ///
    /// Returns when it is durable that they will be handled, not when they were. Without a running
    /// service there is nobody to decode them: [`OperatorError::NotRunning`].
    pub async fn replay(&self, which: impl Into<Which> + Send) -> Result<Done, OperatorError> {
        let numbers = self.chosen(which.into()).await?;
        act_in(&self.desk, numbers, PAGE_MESSAGES, Act::ReplayInvalid).await
    }

    /// Takes them off the list, for good: by number, or those that a filter lets through at this
    /// moment.
    pub async fn discard(&self, which: impl Into<Which> + Send) -> Result<Done, OperatorError> {
        let numbers = self.chosen(which.into()).await?;
        act(&self.desk, numbers, Act::DiscardInvalid).await
    }

    async fn chosen(&self, which: Which) -> Result<Vec<u64>, OperatorError> {
        match which {
            Which::Numbers(numbers) => Ok(numbers),
            Which::All(filter) => {
                let most = filter.limit_or(usize::MAX);
                let page = self.list(&filter.limit(most)).await?;
                Ok(page.items.into_iter().map(|entry| entry.number).collect())
            }
        }
    }
}

fn admits(filter: &Filter, number: u64, message: &InvalidMessage) -> bool {
    filter.admits_handler(None)
        && filter.admits_type(None)
        && filter.admits_rest(number, message.key.as_deref(), message.at_ms)
        && filter.admits_error(&message.reason)
}

impl InvalidEntry {
    fn of(number: u64, message: &InvalidMessage) -> Self {
        let InvalidMessage { at_ms, reason, key, headers, body, .. } = message;
        InvalidEntry {
            number,
            at_ms: *at_ms,
            record: message.record(),
            reason: reason.clone(),
            key: key.clone(),
            bytes: (headers.len() + body.len()) as u64,
        }
    }
}

impl InvalidDetail {
    fn of(number: u64, message: &InvalidMessage) -> Self {
        let headers = Headers::written(message.headers.clone());
        let headers = headers.iter_bytes().map(|(name, value)| (Body::of(name), Body::of(value)));
        InvalidDetail {
            headers: headers.collect(),
            body: Body::of(&message.body),
            entry: InvalidEntry::of(number, message),
        }
    }
}
