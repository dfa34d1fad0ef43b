//! What was done to some of a service's items, and which of them were not there.

use serde::Serialize;

use super::lists::none;
use super::print::{Printed, note};
use super::words::count;
use super::{Came, Trouble};
use crate::dead_letters::{Done, Refused};

/// What is done, in words.
#[derive(Clone, Copy)]
pub(super) struct Verb {
    pub(super) name: &'static str,
    /// What stands before what is said: of one, and of several.
    pub(super) is: [&'static str; 2],
    /// What the service says of it.
    pub(super) done: &'static str,
    /// What is said of it where no service runs.
    pub(super) later: &'static str,
}

/// Who did it, and how that is told.
pub(super) struct Telling<'a> {
    pub(super) service: &'a str,
    pub(super) is_running: bool,
    pub(super) json: bool,
    /// What one of the items is called.
    pub(super) one: &'a str,
    /// Whether only some of them were meant.
    pub(super) is_filtered: bool,
    pub(super) verb: Verb,
}

#[derive(Serialize)]
struct Json<'a> {
    service: &'a str,
    #[serde(flatten)]
    done: &'a Done,
}

/// Tells it.
pub(super) fn tell(
    done: &Done,
    telling: &Telling<'_>,
    printed: &mut Printed,
) -> Result<Came, Trouble> {
    if telling.json {
        printed.json(&Json { service: telling.service, done })?;
    } else {
        say(done, telling, printed);
    }
    Ok(match (done.done.is_empty(), done.missing.is_empty(), done.refused.is_empty()) {
        (true, _, true) => Came::NothingMatched,
        (false, true, true) => Came::Done,
        _ => Came::InPart,
    })
}

fn say(done: &Done, telling: &Telling<'_>, printed: &mut Printed) {
    let (one, verb) = (telling.one, telling.verb);
    if done.done.is_empty() && done.missing.is_empty() && done.refused.is_empty() {
        note(&none(one, telling.is_filtered));
    }
    if !done.done.is_empty() {
        let number = done.done.len() as u64;
        let verb = if telling.is_running { verb.done } else { verb.later };
        let [is, are] = telling.verb.is;
        let is = if number == 1 { is } else { are };
        printed.line(format!("{} {is} {verb}", count(number, one)));
    }
    for missing in &done.missing {
        note(&format!("there is no {one} {missing}"));
    }
    for Refused { number, reason } in &done.refused {
        note(&format!("{one} {number} is left as it was: {reason}"));
    }
}
