//! `endwise dead-letters`.

use async_trait::async_trait;

use super::act::{Telling, Verb, tell};
use super::args::Asked;
use super::lists::{Shown, list};
use super::place;
use super::print::Printed;
use super::way::Way;
use super::words::count;
use super::{Came, Command, Trouble};
use crate::admin::Question;
use crate::admin::ask::{dead_letters, invalid, unhandled};
use crate::dead_letters::{Done, Filter, Which};

mod args;
mod rows;
mod show;

pub(super) use args::Args;
use args::{Chosen, Letters, Of};

#[async_trait]
impl Command for Args {
    async fn run(self, printed: &mut Printed) -> Result<Came, Trouble> {
        match self.verb {
            Letters::List { asked, filter, of, paged } => {
                let filter = filter.filter();
                let is_filtered = filter != Filter::new() || paged.after.is_some();
                let mut filter = filter.limit(paged.limit);
                if let Some(after) = paged.after {
                    filter = filter.after(after);
                }
                listed(&asked, filter, is_filtered, Kind::of(of), printed).await
            }
            Letters::Show { asked, numbers, of } => {
                show::run(&asked, numbers, Kind::of(of), printed).await
            }
            Letters::Replay { unhandled: true, .. } => Err(Trouble::Usage(UNHANDLED.to_owned())),
            Letters::Replay { asked, chosen, invalid: true, .. } => {
                let ask = |which| invalid::Replay { which };
                act(&asked, chosen, Act { kind: Kind::Invalid, verb: DECODE, ask }, printed).await
            }
            Letters::Replay { asked, chosen, invalid: false, .. } => {
                let ask = |which| dead_letters::Replay { which };
                act(&asked, chosen, Act { kind: Kind::DeadLetters, verb: REPLAY, ask }, printed)
                    .await
            }
            Letters::Discard { asked, chosen, of } => {
                discard(&asked, chosen, Kind::of(of), printed).await
            }
        }
    }
}

async fn discard(
    asked: &Asked,
    chosen: Chosen,
    kind: Kind,
    printed: &mut Printed,
) -> Result<Came, Trouble> {
    match kind {
        Kind::DeadLetters => {
            let ask = |which| dead_letters::Discard { which };
            act(asked, chosen, Act { kind, verb: DISCARD, ask }, printed).await
        }
        Kind::Invalid => {
            let ask = |which| invalid::Discard { which };
            act(asked, chosen, Act { kind, verb: DISCARD, ask }, printed).await
        }
        Kind::Unhandled => {
            let ask = |which| unhandled::Discard { which };
            act(asked, chosen, Act { kind, verb: DISCARD, ask }, printed).await
        }
    }
}

/// What the numbers are those of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    DeadLetters,
    Invalid,
    Unhandled,
}

impl Kind {
    fn of(of: Of) -> Self {
        match of {
            Of { invalid: true, .. } => Kind::Invalid,
            Of { unhandled: true, .. } => Kind::Unhandled,
            Of { invalid: false, unhandled: false } => Kind::DeadLetters,
        }
    }

    /// One of it, in words.
    fn one(self) -> &'static str {
        match self {
            Kind::DeadLetters => "dead letter",
            Kind::Invalid => "invalid record",
            Kind::Unhandled => "unhandled message",
        }
    }
}

async fn listed(
    asked: &Asked,
    filter: Filter,
    is_filtered: bool,
    kind: Kind,
    printed: &mut Printed,
) -> Result<Came, Trouble> {
    let one = kind.one();
    match kind {
        Kind::DeadLetters => {
            let shown = Shown { one, is_filtered, lines: rows::letters };
            list(asked, dead_letters::List { filter }, shown, printed).await
        }
        Kind::Invalid => {
            let shown = Shown { one, is_filtered, lines: rows::invalid };
            list(asked, invalid::List { filter }, shown, printed).await
        }
        Kind::Unhandled => {
            let shown = Shown { one, is_filtered, lines: rows::unhandled };
            list(asked, unhandled::List { filter }, shown, printed).await
        }
    }
}

/// Something that is done, and how it is asked for.
struct Act<F> {
    kind: Kind,
    verb: Verb,
    ask: F,
}

/// What is said to whoever wants to have messages handled that no handler takes.
const UNHANDLED: &str = "messages that no handler takes are not replayed: they are handled by \
                         themselves once the service runs with a handler that takes their type";

const REPLAY: Verb = Verb {
    name: "replay",
    is: ["will be", "will be"],
    done: "handled again",
    later: "handled again at the service's next start",
};
const DECODE: Verb = Verb {
    name: "replay",
    is: ["is", "are"],
    done: "decoded, and off the list",
    // Only a running service does it.
    later: "decoded, and off the list",
};
const DISCARD: Verb =
    Verb { name: "discard", is: ["is", "are"], done: "discarded", later: "discarded" };

async fn act<Q: Question<Answer = Done>>(
    asked: &Asked,
    chosen: Chosen,
    act: Act<impl Fn(Which) -> Q>,
    printed: &mut Printed,
) -> Result<Came, Trouble> {
    let is_filtered = !chosen.numbers.is_empty() || chosen.filter.filter() != Filter::new();
    let place = place::service(&asked.dir)?;
    let mut way = Way::open(&place).await?;
    let answer = match which(&mut way, chosen, act.kind, act.verb).await {
        Ok(which) => way.ask((act.ask)(which)).await,
        Err(trouble) => Err(trouble),
    };
    let is_running = way.is_running();
    way.close().await?;
    let telling = Telling {
        service: &place.service,
        is_running,
        json: asked.json,
        one: act.kind.one(),
        is_filtered,
        verb: act.verb,
    };
    tell(&answer?, &telling, printed)
}

/// Which ones are meant. All that fit something have to be meant: a filter that lets through more
/// than was thought is not undone.
async fn which(way: &mut Way, chosen: Chosen, kind: Kind, verb: Verb) -> Result<Which, Trouble> {
    if !chosen.numbers.is_empty() {
        return Ok(Which::Numbers(chosen.numbers));
    }
    let filter = chosen.filter.filter();
    if chosen.all {
        return Ok(Which::All(filter));
    }
    let number = match kind {
        Kind::DeadLetters => way.ask(dead_letters::Count { filter }).await?.count,
        Kind::Invalid => way.ask(invalid::Count { filter }).await?.count,
        Kind::Unhandled => way.ask(unhandled::Count { filter }).await?.count,
    };
    let (name, fit) = (verb.name, if number == 1 { "fits" } else { "fit" });
    Err(Trouble::Usage(format!(
        "{} {fit}, and nothing was done: name the numbers to {name}, or add --all to {name} all \
         that fit",
        count(number, kind.one())
    )))
}
