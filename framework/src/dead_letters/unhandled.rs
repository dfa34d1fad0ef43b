//! Messages of types that no handler takes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Body, Done, Filter, PAGE, PAGE_LISTED, Page, Which, act};
use crate::operator::{Act, Desk, OperatorError};
use crate::store::Unhandled;
use crate::stream::Key;

/// Messages of types that no handler of the app takes, and that the app does not
/// [ignore](crate::App::ignore_types). They are stored whole and settled. When the service starts
/// with a handler of their type, it handles them, in their order and before newer ones of their
/// keys, each once. A clone is the same handle.
///
/// ```
/// use framework::Service;
/// use framework::dead_letters::Filter;
///
/// async fn look(service: &Service) -> Result<(), framework::OperatorError> {
///     let unhandled = service.dead_letters().unhandled();
///     for entry in unhandled.list(&Filter::new()).await?.items {
///         println!("{} {} on {}", entry.number, entry.type_name, entry.topic);
///     }
///     unhandled.discard(Filter::new().type_name("Opened")).await?;
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct UnhandledMessages {
    pub(super) desk: Arc<Desk>,
}

/// A message that no handler takes, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UnhandledEntry {
    /// Its number, by which it is discarded.
    pub number: u64,
    /// When it came, milliseconds since 1970.
    pub at_ms: u64,
    /// The topic that it was sent to.
    pub topic: Arc<str>,
    /// The name of its type.
    pub type_name: Arc<str>,
    /// Its key, where its sender or its record names one.
    pub key: Option<Key>,
    /// Its position.
    pub position: String,
    /// Bytes of its headers and body.
    pub bytes: u64,
}

/// A message that no handler takes, with all that it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UnhandledDetail {
    /// As a list shows it.
    pub entry: UnhandledEntry,
    /// The headers, attributes of the envelope among them, in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
}

impl UnhandledMessages {
    /// Those that a filter lets through, in the order of their numbers.
    pub async fn list(&self, filter: &Filter) -> Result<Page<UnhandledEntry>, OperatorError> {
        let most = filter.limit_or(PAGE_LISTED);
        let (mut items, mut after) = (Vec::new(), filter.first_after());
        loop {
            let page = self.desk.reader.unhandled(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(Page { items, next: None }) };
            after = Some(last.number);
            for found in page.into_iter().filter(|found| admits(filter, found)) {
                if items.len() == most {
                    let next = items.last().map(|last: &UnhandledEntry| last.number);
                    return Ok(Page { items, next });
                }
                items.push(UnhandledEntry::of(found));
            }
        }
    }

    /// How many a filter lets through, whatever its limit.
    pub async fn count(&self, filter: &Filter) -> Result<u64, OperatorError> {
        Ok(self.list(&filter.clone().limit(usize::MAX)).await?.items.len() as u64)
    }

    /// All of one; `None` if there is none of that number.
    pub async fn show(&self, number: u64) -> Result<Option<UnhandledDetail>, OperatorError> {
        let found = self.desk.reader.unhandled(number.checked_sub(1), 1).await?;
        let Some(found) = found.into_iter().find(|found| found.number == number) else {
            return Ok(None);
        };
        let message = self.desk.reader.kept_messages(vec![number]).await?.into_iter().flatten();
        Ok(message.last().map(|message| {
            let headers = message.envelope.headers.iter();
            UnhandledDetail {
                entry: UnhandledEntry::of(found),
                headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
                body: Body::of(&message.envelope.body),
            }
        }))
    }

    /// Takes them off the list, for good: by number, or those that a filter lets through at this
    /// moment.
    pub async fn discard(&self, which: impl Into<Which> + Send) -> Result<Done, OperatorError> {
        let numbers = match which.into() {
            Which::Numbers(numbers) => numbers,
            Which::All(filter) => {
                let most = filter.limit_or(usize::MAX);
                let page = self.list(&filter.limit(most)).await?;
                page.items.into_iter().map(|entry| entry.number).collect()
            }
        };
        act(&self.desk, numbers, Act::DiscardUnhandled).await
    }
}

/// Whether a filter lets it through. It has no error, so one with a text fits none.
fn admits(filter: &Filter, found: &Unhandled) -> bool {
    filter.admits_handler(None)
        && filter.admits_error("")
        && filter.admits_type(Some(&found.type_name))
        && filter.admits_rest(found.number, found.key.as_deref(), found.since_ms)
}

impl UnhandledEntry {
    fn of(found: Unhandled) -> Self {
        UnhandledEntry {
            number: found.number,
            at_ms: found.since_ms,
            topic: Arc::clone(found.position.topic()),
            position: found.position.to_string(),
            type_name: found.type_name,
            key: found.key,
            bytes: found.bytes.into(),
        }
    }
}
