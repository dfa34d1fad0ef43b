//! `endwise dead-letters show`.

use serde::Serialize;

use super::super::args::Asked;
use super::super::place;
use super::super::print::{HEAD, Printed, note, styled};
use super::super::way::Way;
use super::super::words::{bytes, count, plain, time, time_and_age};
use super::super::{Came, Trouble};
use super::Kind;
use crate::admin::ask;
use crate::clock::Clock;
use crate::dead_letters::{Body, DeadLetterDetail, Hold, InvalidDetail, UnhandledDetail, WaitsFor};

#[derive(Serialize)]
#[serde(untagged)]
enum Detail {
    Letter(Box<DeadLetterDetail>),
    Invalid(Box<InvalidDetail>),
    Unhandled(Box<UnhandledDetail>),
}

#[derive(Serialize)]
struct Shown {
    service: String,
    items: Vec<Detail>,
    missing: Vec<u64>,
    /// Those among the missing that wait, and for what.
    #[serde(skip)]
    waiting: Vec<Hold>,
}

pub(super) async fn run(
    asked: &Asked,
    numbers: Vec<u64>,
    kind: Kind,
    printed: &mut Printed,
) -> Result<Came, Trouble> {
    let place = place::service(&asked.dir)?;
    let mut way = Way::open(&place).await?;
    let (items, missing, waiting) = Default::default();
    let mut shown = Shown { service: place.service.to_string(), items, missing, waiting };
    let mut came = Ok(());
    for number in numbers {
        match one(&mut way, number, kind).await {
            Ok(Some(detail)) => shown.items.push(detail),
            Ok(None) => shown.missing.push(number),
            Err(trouble) => {
                came = Err(trouble);
                break;
            }
        }
    }
    if came.is_ok() && kind == Kind::DeadLetters {
        came = holds_of(&mut way, &shown.missing).await.map(|waiting| shown.waiting = waiting);
    }
    way.close().await?;
    came?;
    if asked.json {
        printed.json(&shown)?;
    } else {
        print(&shown, kind, printed);
    }
    Ok(match (shown.items.is_empty(), shown.missing.is_empty()) {
        (true, _) => Came::NothingMatched,
        (false, true) => Came::Done,
        (false, false) => Came::InPart,
    })
}

async fn one(way: &mut Way, number: u64, kind: Kind) -> Result<Option<Detail>, Trouble> {
    Ok(match kind {
        Kind::DeadLetters => {
            let shown = way.ask(ask::dead_letters::Show { number }).await?;
            shown.letter.map(Detail::Letter)
        }
        Kind::Invalid => {
            let shown = way.ask(ask::invalid::Show { number }).await?;
            shown.message.map(Detail::Invalid)
        }
        Kind::Unhandled => {
            let shown = way.ask(ask::unhandled::Show { number }).await?;
            shown.message.map(Detail::Unhandled)
        }
    })
}

/// Which of these numbers wait, and for what.
async fn holds_of(way: &mut Way, numbers: &[u64]) -> Result<Vec<Hold>, Trouble> {
    let mut waiting = Vec::new();
    for &number in numbers {
        let after = number.checked_sub(1);
        let page = way.ask(ask::dead_letters::Holds { after, limit: Some(1) }).await?;
        waiting.extend(page.items.into_iter().filter(|hold| hold.number == number));
    }
    Ok(waiting)
}

/// What is said of a number that is no dead letter's.
fn missing(shown: &Shown, number: u64, kind: Kind, now_ms: u64) -> String {
    let hold = shown.waiting.iter().find(|hold| hold.number == number);
    match hold.map(|hold| &hold.waits_for) {
        None => format!("there is no {} {number}", kind.one()),
        Some(WaitsFor::DeadLetter { number: first, .. }) => {
            format!("{number} is held behind dead letter {first}: replay or discard that one")
        }
        Some(WaitsFor::Retry { number: first, at_ms, .. }) => {
            let at = time_and_age(*at_ms, now_ms);
            format!("{number} is held behind {first}, which is tried again at {at}")
        }
        Some(WaitsFor::Attempt { at_ms }) => {
            format!("{number} is no dead letter: it is tried again at {}", {
                time_and_age(*at_ms, now_ms)
            })
        }
        Some(WaitsFor::Turn) => format!("{number} is no dead letter: it waits for its turn"),
    }
}

fn print(shown: &Shown, kind: Kind, printed: &mut Printed) {
    let now_ms = Clock::system().now_ms();
    for (index, detail) in shown.items.iter().enumerate() {
        if index > 0 {
            printed.line("");
        }
        match detail {
            Detail::Letter(detail) => letter(&shown.service, detail, now_ms, printed),
            Detail::Invalid(detail) => invalid(&shown.service, detail, now_ms, printed),
            Detail::Unhandled(detail) => unhandled(&shown.service, detail, now_ms, printed),
        }
    }
    for number in &shown.missing {
        note(&missing(shown, *number, kind, now_ms));
    }
}

fn head(printed: &mut Printed, text: &str) {
    printed.line(styled(HEAD, text));
}

fn letter(service: &str, detail: &DeadLetterDetail, now_ms: u64, printed: &mut Printed) {
    let letter = &detail.letter;
    head(printed, &format!("dead letter {} of {service}", letter.number));
    printed.field("handler", &letter.handler);
    if detail.handlers.len() > 1 {
        let others = detail.handlers.iter().filter(|name| **name != letter.handler);
        printed.field("also for", &others.map(|name| &**name).collect::<Vec<_>>().join(", "));
    }
    if let Some(key) = &letter.key {
        printed.field("key", &plain(key));
    }
    printed
        .field("type", &format!("{} on topic {}", plain(&letter.type_name), plain(&letter.topic)));
    printed.field("position", &plain(&letter.position));
    printed.field("failed first", &time_and_age(letter.since_ms, now_ms));
    printed.field("given up", &time_and_age(letter.dead_since_ms, now_ms));
    printed.field("attempts", &letter.attempts.to_string());
    let held = match letter.skip_ms {
        None => "they wait until it is replayed or discarded".to_owned(),
        Some(0) => "the others have gone on without it".to_owned(),
        Some(at) => format!("they go on without it at {}", time_and_age(at, now_ms)),
    };
    match letter.followers {
        0 => printed.field("held", "0"),
        followers => printed.field("held", &format!("{followers}; {held}")),
    }
    let numbers: Vec<String> = detail.held.iter().map(|hold| hold.number.to_string()).collect();
    if !numbers.is_empty() {
        printed.field("", &format!("numbers {}", numbers.join(", ")));
    }
    head(printed, "failures, oldest first");
    for failure in &detail.failures {
        let at = time(failure.at_ms);
        printed.line(format!("  {at}  attempt {}: {}", failure.attempt, failure.how));
        for (depth, error) in failure.errors.iter().enumerate() {
            let because = if depth == 0 { "" } else { "because: " };
            printed.line(format!("      {because}{}", plain(error)));
        }
    }
    headers(&detail.headers, printed);
    body(&detail.body, printed);
}

fn invalid(service: &str, detail: &InvalidDetail, now_ms: u64, printed: &mut Printed) {
    let entry = &detail.entry;
    head(printed, &format!("invalid record {} of {service}", entry.number));
    printed.field("record", &plain(&entry.record));
    printed.field("came", &time_and_age(entry.at_ms, now_ms));
    printed.field("reason", &plain(&entry.reason));
    if let Some(key) = &entry.key {
        printed.field("key", &plain(key));
    }
    printed.field("size", &bytes(entry.bytes));
    head(printed, "headers");
    for (name, value) in &detail.headers {
        printed.line(format!("  {}: {}", plain(&name.to_string()), plain(&value.to_string())));
    }
    body(&detail.body, printed);
}

fn unhandled(service: &str, detail: &UnhandledDetail, now_ms: u64, printed: &mut Printed) {
    let entry = &detail.entry;
    head(printed, &format!("unhandled message {} of {service}", entry.number));
    printed.field("type", &format!("{} on topic {}", plain(&entry.type_name), plain(&entry.topic)));
    if let Some(key) = &entry.key {
        printed.field("key", &plain(key));
    }
    printed.field("position", &plain(&entry.position));
    printed.field("came", &time_and_age(entry.at_ms, now_ms));
    printed.field("size", &bytes(entry.bytes));
    headers(&detail.headers, printed);
    body(&detail.body, printed);
}

fn headers(headers: &[(String, String)], printed: &mut Printed) {
    head(printed, "headers");
    for (name, value) in headers {
        printed.line(format!("  {}: {}", plain(name), plain(value)));
    }
}

/// A body: JSON in lines, other text as it is, other bytes in hexadecimal digits.
fn body(body: &Body, printed: &mut Printed) {
    match body {
        Body::Text(text) => {
            head(printed, "body");
            let json = serde_json::from_str::<serde_json::Value>(text).ok();
            let pretty = json.and_then(|json| serde_json::to_string_pretty(&json).ok());
            for line in pretty.as_deref().unwrap_or(text).lines() {
                printed.line(format!("  {}", plain(line)));
            }
        }
        Body::Hex(digits) => {
            head(
                printed,
                &format!("body, {} in hexadecimal", count(digits.len() as u64 / 2, "byte")),
            );
            let mut rest = digits.as_str();
            while !rest.is_empty() {
                let (line, behind) = rest.split_at_checked(64).unwrap_or((rest, ""));
                printed.line(format!("  {line}"));
                rest = behind;
            }
        }
    }
}
