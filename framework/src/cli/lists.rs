//! Lists of what services have: asked of each service of a directory, printed as a table or in the
//! one shape that lists have in JSON.

use std::fmt::Display;
use std::sync::Arc;

use serde::Serialize;

use super::args::Asked;
use super::place::{Place, services};
use super::print::{Printed, note};
use super::way::{Each, of_each};
use super::{Came, Trouble};
use crate::admin::Question;
use crate::clock::Clock;
use crate::dead_letters::Page;

/// Some items of a service.
#[derive(Serialize)]
struct Listed<T, N> {
    service: Arc<str>,
    #[serde(flatten)]
    page: Page<T, N>,
}

#[derive(Serialize)]
struct Lists<T, N> {
    services: Vec<Listed<T, N>>,
}

/// How items are shown: what one of them is called, and the lines for some of them at a time in
/// milliseconds since 1970.
pub(super) struct Shown<T> {
    pub(super) one: &'static str,
    /// Whether only some of them are asked for.
    pub(super) is_filtered: bool,
    pub(super) lines: fn(&[T], u64) -> Vec<String>,
}

/// What is said where there are none of these, or none that match.
pub(super) fn none(one: &str, is_filtered: bool) -> String {
    if is_filtered { format!("no {one} matches") } else { format!("there are no {one}s") }
}

/// Asks each service for a list, and prints what it has answered.
pub(super) async fn list<Q, T, N>(
    asked: &Asked,
    question: Q,
    shown: Shown<T>,
    printed: &mut Printed,
) -> Result<Came, Trouble>
where
    Q: Question<Answer = Page<T, N>>,
    T: Serialize,
    N: Serialize + Display,
{
    let places = services(&asked.dir)?;
    let has_several = places.len() > 1;
    list_of(places, has_several, asked.json, question, shown, printed).await
}

/// The same, of these services; with a title each, if the directory has several.
pub(super) async fn list_of<Q, T, N>(
    places: Vec<Place>,
    has_several: bool,
    json: bool,
    question: Q,
    shown: Shown<T>,
    printed: &mut Printed,
) -> Result<Came, Trouble>
where
    Q: Question<Answer = Page<T, N>>,
    T: Serialize,
    N: Serialize + Display,
{
    let Each { answers, came } = of_each(places, question).await?;
    let listed = |(place, page): (Place, Page<T, N>)| Listed { service: place.service, page };
    let lists: Vec<Listed<T, N>> = answers.into_iter().map(listed).collect();
    let is_empty = lists.iter().all(|list| list.page.items.is_empty());
    let came = if is_empty && came == Came::Done { Came::NothingMatched } else { came };
    if json {
        printed.json(&Lists { services: lists })?;
        return Ok(came);
    }
    if is_empty {
        note(&none(shown.one, shown.is_filtered));
    }
    let now_ms = Clock::system().now_ms();
    for list in lists.iter().filter(|list| !list.page.items.is_empty()) {
        if has_several {
            printed.line(format!("{}:", list.service));
        }
        (shown.lines)(&list.page.items, now_ms).iter().for_each(|line| printed.line(line));
        if let Some(next) = &list.page.next {
            let of = if has_several { format!("{}: ", list.service) } else { String::new() };
            printed.below(format!("{of}there are more: see them with --after {next}"));
        }
    }
    Ok(came)
}
