//! Dead letters, what is held behind them, and records that are no message: an operator's view of
//! what a service could not handle, and what can be done about it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::operator::{Act, Desk, Fate, OperatorError};
use crate::store::Wait;

mod body;
mod filter;
mod invalid;
mod lanes;
mod letter;
mod unhandled;
mod waiting;

#[cfg(test)]
mod tests;

pub use body::Body;
pub use filter::{Filter, Which};
pub use invalid::{InvalidDetail, InvalidEntry, InvalidMessages};
pub(crate) use lanes::{Components, Lanes};
pub use letter::{DeadLetter, DeadLetterDetail};
pub use unhandled::{UnhandledDetail, UnhandledEntry, UnhandledMessages};
pub use waiting::{Hold, WaitsFor};

/// How many items are read at a time; those with whole messages are read in smaller pages.
const PAGE: usize = 1_024;

/// How many whole messages are read at a time.
const PAGE_MESSAGES: usize = 16;

/// How many numbers one request to the service has.
const ACT_MAX: usize = 1_000;

/// The dead letters of a service: deliveries that were tried as often as their handler asks for,
/// or failed for good. A clone is the same handle.
///
/// They are in the store, whole, with the history of their failures. Behind one, the later messages
/// of its key are held for all handlers that share its state, until it is replayed or discarded
/// (or, with `gap = skip(..)`, for so long).
///
/// ```no_run
/// use framework::dead_letters::Filter;
/// # use framework::Service;
///
/// # async fn mend(service: &Service) -> Result<(), Box<dyn std::error::Error>> {
/// let letters = service.dead_letters();
/// for letter in letters.list(&Filter::new().handler("deposit")).await?.items {
///     println!("{} {:?}: {}", letter.number, letter.key, letter.error);
/// }
/// // The cause is mended: all that failed of it are handled again, in order.
/// let done = letters.replay(Filter::new().error("connection refused")).await?;
/// println!("{} are handled again", done.done.len());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct DeadLetters {
    pub(crate) desk: Arc<Desk>,
}

/// Some items of a list, and where to read on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Page<T, N = u64> {
    /// The items, in the list's order: that of numbers, unless it says otherwise.
    pub items: Vec<T>,
    /// What to give as `after` for those behind them, for dead letters to [`Filter::after`];
    /// `None` if these are the last.
    pub next: Option<N>,
}

/// What came of a replay or a discarding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Done {
    /// The numbers for which it was done, durably.
    pub done: Vec<u64>,
    /// The numbers under which there was nothing (any more).
    pub missing: Vec<u64>,
    /// For which it was not done, and why: of a replay of records that are no message, those that
    /// are none still. They stay on their list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refused>,
}

/// A number for which nothing was done, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Refused {
    /// The number.
    pub number: u64,
    /// Why.
    pub reason: String,
}

impl DeadLetters {
    /// The dead letters that a filter lets through, in the order of their numbers.
    pub async fn list(&self, filter: &Filter) -> Result<Page<DeadLetter>, OperatorError> {
        let lanes = Lanes::read(&self.desk).await?;
        let most = filter.limit_or(PAGE_LISTED);
        let mut items = Vec::new();
        let mut numbers = lanes.dead().filter(|kept| filter.admits(kept)).map(|kept| kept.number);
        loop {
            let page: Vec<u64> = numbers.by_ref().take(PAGE_MESSAGES).collect();
            if page.is_empty() {
                return Ok(Page { items, next: None });
            }
            for found in self.desk.reader.kept_messages(page).await?.into_iter().flatten() {
                let letter = DeadLetter::of(&found, &lanes);
                let admits = |letter: &DeadLetter| {
                    filter.admits_error(&letter.error)
                        && filter.admits_type(Some(&letter.type_name))
                };
                if letter.as_ref().is_some_and(admits) {
                    if items.len() == most {
                        let next = items.last().map(|last: &DeadLetter| last.number);
                        return Ok(Page { items, next });
                    }
                    items.extend(letter);
                }
            }
        }
    }

    /// How many dead letters a filter lets through, whatever its limit.
    pub async fn count(&self, filter: &Filter) -> Result<u64, OperatorError> {
        Ok(self.numbers(&filter.clone().limit(usize::MAX)).await?.len() as u64)
    }

    /// All about one dead letter; `None` if there is none of that number.
    pub async fn show(&self, number: u64) -> Result<Option<DeadLetterDetail>, OperatorError> {
        let found = self.desk.reader.kept_messages(vec![number]).await?.into_iter().flatten();
        let Some(found) = found.last() else { return Ok(None) };
        let lanes = Lanes::read(&self.desk).await?;
        Ok(DeadLetterDetail::of(&found, &lanes))
    }

    /// Has dead letters handled again: by number, or those that a filter lets through at this
    /// moment. Each is handled in its place, before those that are held behind it, and has its
    /// attempts anew; one that fails again is a dead letter again and keeps its history.
    ///
    /// Returns when it is durable that they will be handled, not when they were.
    pub async fn replay(&self, which: impl Into<Which> + Send) -> Result<Done, OperatorError> {
        let numbers = self.chosen(which.into()).await?;
        act(&self.desk, numbers, Act::Replay).await
    }

    /// Gives dead letters up, for good: by number, or those that a filter lets through at this
    /// moment. Those that are held behind them go on.
    pub async fn discard(&self, which: impl Into<Which> + Send) -> Result<Done, OperatorError> {
        let numbers = self.chosen(which.into()).await?;
        act(&self.desk, numbers, Act::Discard).await
    }

    /// What waits in the store, and for what: deliveries that wait for their next attempt, and
    /// those that are held behind one, or behind a dead letter. Up to `most`, those behind the
    /// number `after`, in the order of their numbers.
    pub async fn holds(
        &self,
        after: Option<u64>,
        most: usize,
    ) -> Result<Page<Hold>, OperatorError> {
        let lanes = Lanes::read(&self.desk).await?;
        let behind = |number: u64| after.is_none_or(|after| number > after);
        let waits = lanes.all().filter(|kept| !matches!(kept.wait, Wait::Dead { .. }));
        let mut waits = waits.filter(|kept| behind(kept.number));
        let items: Vec<Hold> = waits.by_ref().take(most).map(|kept| lanes.hold(kept)).collect();
        let next = waits.next().and(items.last().map(|last| last.number));
        Ok(Page { items, next })
    }

    /// Records that are no message.
    pub fn invalid(&self) -> InvalidMessages {
        InvalidMessages { desk: Arc::clone(&self.desk) }
    }

    /// Messages of types that no handler takes.
    pub fn unhandled(&self) -> UnhandledMessages {
        UnhandledMessages { desk: Arc::clone(&self.desk) }
    }

    async fn chosen(&self, which: Which) -> Result<Vec<u64>, OperatorError> {
        match which {
            Which::Numbers(numbers) => Ok(numbers),
            Which::All(filter) => self.numbers(&filter).await,
        }
    }

    /// The numbers that a filter lets through: all, unless it has a limit.
    async fn numbers(&self, filter: &Filter) -> Result<Vec<u64>, OperatorError> {
        let most = filter.limit_or(usize::MAX);
        if filter.asks_for_messages() {
            let letters = self.list(&filter.clone().limit(most)).await?;
            return Ok(letters.items.into_iter().map(|letter| letter.number).collect());
        }
        let lanes = Lanes::read(&self.desk).await?;
        let dead = lanes.dead().filter(|kept| filter.admits(kept));
        Ok(dead.map(|kept| kept.number).take(most).collect())
    }
}

/// How many items a list has, unless its filter says.
const PAGE_LISTED: usize = 100;

/// Has something done, in requests of a size that a service takes at once.
pub(crate) async fn act(
    desk: &Desk,
    numbers: Vec<u64>,
    act: impl Fn(Vec<u64>) -> Act + Send,
) -> Result<Done, OperatorError> {
    act_in(desk, numbers, ACT_MAX, act).await
}

/// The same, with so many numbers in a request.
async fn act_in(
    desk: &Desk,
    mut numbers: Vec<u64>,
    most: usize,
    act: impl Fn(Vec<u64>) -> Act + Send,
) -> Result<Done, OperatorError> {
    // The order of numbers is that of a lane; the same one twice would be missing once.
    numbers.sort_unstable();
    numbers.dedup();
    let mut came = Done::default();
    for part in numbers.chunks(most) {
        let answers = desk.operate.act(act(part.to_vec())).await?;
        for (&number, fate) in part.iter().zip(answers) {
            match fate {
                Fate::Done => came.done.push(number),
                Fate::Missing => came.missing.push(number),
                Fate::Refused(reason) => came.refused.push(Refused { number, reason }),
            }
        }
    }
    Ok(came)
}
