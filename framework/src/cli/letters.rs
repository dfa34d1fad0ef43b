//! `endwise dead-letters`.

use std::sync::Arc;

use serde::Serialize;

use super::args::{Asked, Chosen, Letters};
use super::place::{self, Place};
use super::print::{Printed, note};
use super::way::{Each, Way, each};
use super::words::count;
use super::{Came, Trouble};
use crate::admin::{Answer, Ask};
use crate::clock::Clock;
use crate::dead_letters::{Done, Filter, Page, Which};

mod list;
mod show;

pub(super) async fn run(verb: Letters, printed: &mut Printed) -> Result<Came, Trouble> {
    match verb {
        Letters::List { asked, filter, invalid, limit, after } => {
            let mut filter = filter.filter().limit(limit);
            if let Some(after) = after {
                filter = filter.after(after);
            }
            match Kind::of(invalid) {
                Kind::DeadLetters => list_letters(&asked, filter, printed).await,
                Kind::Invalid => list_invalid(&asked, filter, printed).await,
            }
        }
        Letters::Show { asked, numbers, invalid } => {
            show::run(&asked, numbers, Kind::of(invalid), printed).await
        }
        Letters::Replay { asked, chosen } => {
            let ask = |which| Ask::Replay { which };
            act(&asked, chosen, Act { kind: Kind::DeadLetters, verb: REPLAY, ask }, printed).await
        }
        Letters::Discard { asked, chosen, invalid: false } => {
            let ask = |which| Ask::Discard { which };
            act(&asked, chosen, Act { kind: Kind::DeadLetters, verb: DISCARD, ask }, printed).await
        }
        Letters::Discard { asked, chosen, invalid: true } => {
            let ask = |which| Ask::DiscardInvalidMessages { which };
            act(&asked, chosen, Act { kind: Kind::Invalid, verb: DISCARD, ask }, printed).await
        }
    }
}

/// What the numbers are those of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    DeadLetters,
    Invalid,
}

impl Kind {
    fn of(invalid: bool) -> Self {
        if invalid { Kind::Invalid } else { Kind::DeadLetters }
    }

    /// One of it, in words.
    fn one(self) -> &'static str {
        match self {
            Kind::DeadLetters => "dead letter",
            Kind::Invalid => "invalid record",
        }
    }
}

/// Some items of a service.
#[derive(Serialize)]
struct Listed<T> {
    service: Arc<str>,
    #[serde(flatten)]
    page: Page<T>,
}

#[derive(Serialize)]
struct Lists<T> {
    services: Vec<Listed<T>>,
}

async fn list_letters(
    asked: &Asked,
    filter: Filter,
    printed: &mut Printed,
) -> Result<Came, Trouble> {
    let lists = each(&asked.dir, Ask::DeadLetters { filter }, |answer| match answer {
        Answer::DeadLetters(page) => Some(page),
        _ => None,
    });
    print_lists(asked, lists.await?, Kind::DeadLetters, list::letters, printed)
}

async fn list_invalid(
    asked: &Asked,
    filter: Filter,
    printed: &mut Printed,
) -> Result<Came, Trouble> {
    let lists = each(&asked.dir, Ask::InvalidMessages { filter }, |answer| match answer {
        Answer::InvalidMessages(page) => Some(page),
        _ => None,
    });
    print_lists(asked, lists.await?, Kind::Invalid, list::invalid, printed)
}

fn print_lists<T: Serialize>(
    asked: &Asked,
    lists: Each<Page<T>>,
    kind: Kind,
    lines: fn(&[T], u64) -> Vec<String>,
    printed: &mut Printed,
) -> Result<Came, Trouble> {
    let Each { answers, came } = lists;
    let listed = |(place, page): (Place, Page<T>)| Listed { service: place.service, page };
    let lists: Vec<Listed<T>> = answers.into_iter().map(listed).collect();
    let is_empty = lists.iter().all(|list| list.page.items.is_empty());
    let came = if is_empty && came == Came::Done { Came::NothingMatched } else { came };
    if asked.json {
        printed.json(&Lists { services: lists })?;
        return Ok(came);
    }
    if is_empty {
        note(&format!("no {} matches", kind.one()));
    }
    let (now_ms, has_several) = (Clock::system().now_ms(), lists.len() > 1);
    for list in lists.iter().filter(|list| !list.page.items.is_empty()) {
        if has_several {
            printed.line(format!("{}:", list.service));
        }
        lines(&list.page.items, now_ms).iter().for_each(|line| printed.line(line));
        if let Some(next) = list.page.next {
            note(&format!("there are more: see them with --after {next}"));
        }
    }
    Ok(came)
}

/// Something that is done, and how it is asked for.
struct Act<F> {
    kind: Kind,
    verb: Verb,
    ask: F,
}

/// What is done, in words.
#[derive(Clone, Copy)]
struct Verb {
    name: &'static str,
    /// What the service says of it.
    done: &'static str,
    /// What is said of it where no service runs.
    later: &'static str,
}

const REPLAY: Verb = Verb {
    name: "replay",
    done: "handled again",
    later: "handled again at the service's next start",
};
const DISCARD: Verb = Verb { name: "discard", done: "discarded", later: "discarded" };

#[derive(Serialize)]
struct ActJson<'a> {
    service: &'a str,
    #[serde(flatten)]
    done: &'a Done,
}

async fn act(
    asked: &Asked,
    chosen: Chosen,
    act: Act<impl Fn(Which) -> Ask>,
    printed: &mut Printed,
) -> Result<Came, Trouble> {
    let place = place::service(&asked.dir)?;
    let mut way = Way::open(&place).await?;
    let answer = match which(&mut way, chosen, &act).await {
        Ok(which) => way.ask((act.ask)(which)).await,
        Err(trouble) => Err(trouble),
    };
    let is_running = way.is_running();
    way.close().await?;
    let Answer::Done(done) = answer? else { return Err(Trouble::unlike()) };
    if asked.json {
        printed.json(&ActJson { service: &place.service, done: &done })?;
    } else {
        say(&done, &act, is_running, printed);
    }
    Ok(match (done.done.is_empty(), done.missing.is_empty()) {
        (true, _) => Came::NothingMatched,
        (false, true) => Came::Done,
        (false, false) => Came::InPart,
    })
}

/// Which ones are meant. All that fit something have to be meant: a filter that lets through more
/// than was thought is not undone.
async fn which<F>(way: &mut Way, chosen: Chosen, act: &Act<F>) -> Result<Which, Trouble> {
    if !chosen.numbers.is_empty() {
        return Ok(Which::Numbers(chosen.numbers));
    }
    let filter = chosen.filter.filter();
    if chosen.all {
        return Ok(Which::All(filter));
    }
    let ask = match act.kind {
        Kind::DeadLetters => Ask::CountDeadLetters { filter },
        Kind::Invalid => Ask::CountInvalidMessages { filter },
    };
    let Answer::Count { count: number } = way.ask(ask).await? else {
        return Err(Trouble::unlike());
    };
    let (name, fit) = (act.verb.name, if number == 1 { "fits" } else { "fit" });
    Err(Trouble::Usage(format!(
        "{} {fit}, and nothing was done: name the numbers to {name}, or add --all to {name} all \
         that fit",
        count(number, act.kind.one())
    )))
}

fn say<F>(done: &Done, act: &Act<F>, is_running: bool, printed: &mut Printed) {
    let one = act.kind.one();
    if done.done.is_empty() && done.missing.is_empty() {
        note(&format!("no {one} matches"));
    }
    if !done.done.is_empty() {
        let number = done.done.len() as u64;
        let verb = if is_running { act.verb.done } else { act.verb.later };
        let is = if number == 1 { "is" } else { "are" };
        printed.line(format!("{} {is} {verb}", count(number, one)));
    }
    for missing in &done.missing {
        note(&format!("there is no {one} {missing}"));
    }
}
