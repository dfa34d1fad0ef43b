//! `endwise states get`.

use serde::Serialize;
use serde_json::Value;

use super::super::args::Asked;
use super::super::place;
use super::super::print::{Printed, note};
use super::super::way::once;
use super::super::words::{count, plain};
use super::super::{Came, Trouble};
use super::Which;
use crate::admin::ask::states;
use crate::dead_letters::Body;
use crate::raw_states::RawState;

#[derive(Serialize)]
struct Json<'a> {
    service: &'a str,
    state: Option<&'a RawState>,
}

pub(super) async fn run(
    asked: &Asked,
    which: Which,
    raw: bool,
    printed: &mut Printed,
) -> Result<Came, Trouble> {
    let Which { name, key } = which;
    let missing = format!("there is no state {} of {}", plain(&name), plain(&key));
    let place = place::service(&asked.dir)?;
    let found = once(&place, states::Get { name, key }).await?.state;
    if asked.json {
        printed.json(&Json { service: &place.service, state: found.as_deref() })?;
    }
    let Some(state) = found else {
        if !asked.json {
            note(&missing);
        }
        return Ok(Came::NothingMatched);
    };
    if asked.json {
        return Ok(Came::Done);
    }
    note(&format!(
        "version {}, written by version {} of its type",
        state.version, state.type_version
    ));
    if let Some(problem) = &state.problem {
        note(&format!("it cannot be read, and is shown as it is stored: {}", plain(problem)));
    }
    let read = |text: &String| serde_json::from_str::<Value>(text).ok();
    match &state.json {
        Body::Text(text) if raw => printed.line(text),
        Body::Text(text) if state.problem.is_none() => {
            let pretty = read(text).and_then(|json| serde_json::to_string_pretty(&json).ok());
            printed.line(pretty.as_deref().unwrap_or(text));
        }
        Body::Text(text) => text.lines().for_each(|line| printed.line(plain(line))),
        Body::Hex(digits) => {
            note(&format!("{} in hexadecimal", count(digits.len() as u64 / 2, "byte")));
            printed.line(digits);
        }
    }
    Ok(Came::Done)
}
