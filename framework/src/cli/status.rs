//! `endwise status`.

use async_trait::async_trait;
use serde::Serialize;

use super::args::Asked;
use super::place::Place;
use super::print::{BAD, GOOD, HEAD, Printed, styled};
use super::table::{Column, Side, Table};
use super::topics;
use super::way::{Each, Way, each};
use super::words::{bytes, count, cut, plain, span, time_and_age};
use super::{Came, Command, Trouble};
use crate::admin::ask;
use crate::broker::status::BrokerStatus;
use crate::dead_letters::WaitsFor;
use crate::status::{BlockedThread, IntakeWait, LayerWait, RunningStatus, Status};

#[derive(Serialize)]
struct Json {
    services: Vec<Status>,
    broker: Option<BrokerStatus>,
}

/// Which services.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    asked: Asked,
}

#[async_trait]
impl Command for Args {
    async fn run(self, printed: &mut Printed) -> Result<Came, Trouble> {
        let Each { answers, came } = each(&self.asked.dir, ask::status::Ask {}).await?;
        let answers = answers.into_iter().map(|(place, answer)| (place, *answer.status));
        let (places, all): (Vec<Place>, Vec<Status>) = answers.unzip();
        let broker = broker(&places).await?;
        if self.asked.json {
            printed.json(&Json { services: all, broker })?;
            return Ok(came);
        }
        for (number, status) in all.iter().enumerate() {
            if number > 0 {
                printed.line("");
            }
            print(status, printed);
        }
        if let Some(broker) = broker {
            printed.line("");
            topics::print(&broker, true, printed);
        }
        Ok(came)
    }
}

/// How the broker is doing, as the first service says that runs on one which tells. The data of one
/// on which nothing runs are not opened for it: they may be large, and `topics` does.
async fn broker(places: &[Place]) -> Result<Option<BrokerStatus>, Trouble> {
    for place in places {
        if let Some(mut way) = Way::to_running(place).await?
            && let Some(broker) = way.ask(ask::broker::Ask {}).await?.broker
        {
            return Ok(Some(broker));
        }
    }
    Ok(None)
}

fn print(status: &Status, printed: &mut Printed) {
    let (style, is) = match (status.ready, &status.running) {
        (true, _) => (GOOD, "ready"),
        (false, Some(_)) => (BAD, "not ready"),
        (false, None) => (BAD, "not running"),
    };
    printed.line(format!("{}: {}", styled(HEAD, &status.service), styled(style, is)));
    if status.running.is_some() {
        status.reasons.iter().for_each(|reason| printed.field("because", &reason.to_string()));
    }
    if !status.broker_waits_for.is_empty() {
        let names = status.broker_waits_for.join(", ");
        printed.field("broker", &format!("nearly full, waits for {}", plain(&names)));
    }
    if let Some(running) = &status.running {
        in_flight(running, status.at_ms, printed);
    }
    kept(status, printed);
    if let Some(running) = &status.running {
        since_start(running, printed);
    }
    closed(status, printed);
}

fn in_flight(running: &RunningStatus, now_ms: u64, printed: &mut Printed) {
    let RunningStatus { in_flight, in_flight_bytes, in_flight_most, in_flight_bytes_most, .. } =
        running;
    let now = format!("{}, {}", count(*in_flight, "record"), bytes(*in_flight_bytes));
    let most = format!("(most so far {in_flight_most}, {})", bytes(*in_flight_bytes_most));
    printed.field("in flight", &format!("{now} {most}"));
    if let Some(lag) = running.lag {
        printed.field("lag", &count(lag, "record"));
    }
    waits(running, now_ms, printed);
}

/// What waits while the service may be ready.
fn waits(running: &RunningStatus, now_ms: u64, printed: &mut Printed) {
    if let Some(IntakeWait { waiting, room_in, since_ms, .. }) = running.intake {
        let since = time_and_age(since_ms, now_ms);
        let waiting = count(waiting, "message");
        printed.field("intake", &format!("{waiting} for room in {room_in}, since {since}"));
    }
    if let Some(LayerWait { waiting, since_ms, .. }) = running.in_layers {
        let since = time_and_age(since_ms, now_ms);
        printed.field("in layers", &format!("{}, since {since}", count(waiting, "delivery")));
    }
    for BlockedThread { handler, key, since_ms, .. } in &running.blocked {
        let of = key.as_deref().map(|key| format!(" (key {})", plain(key))).unwrap_or_default();
        let since = time_and_age(*since_ms, now_ms);
        printed.field("blocked", &format!("a thread, by {}{of}, since {since}", plain(handler)));
    }
}

fn kept(status: &Status, printed: &mut Printed) {
    let (kept, now_ms) = (&status.kept, status.at_ms);
    let handlers = kept.dead_by_handler.iter();
    let handlers: Vec<_> = handlers.map(|(name, dead)| format!("{name} {dead}")).collect();
    let dead = match handlers.is_empty() {
        true => kept.dead.to_string(),
        false => format!("{} ({})", kept.dead, handlers.join(", ")),
    };
    printed.field("dead letters", &dead);
    printed.field("waiting", &format!("{} for the next attempt", kept.waiting));
    let held = match kept.oldest_held_ms {
        Some(oldest) => format!("{}, since {}", kept.held, time_and_age(oldest, now_ms)),
        None => kept.held.to_string(),
    };
    printed.field("held", &held);
    if kept.released > 0 {
        printed.field("released", &format!("{} of these, worked off in order", kept.released));
    }
    printed.field("kept", &format!("{} in all of these", bytes(kept.bytes)));
    printed.field("invalid", &count(kept.invalid, "record"));
    let types = kept.unhandled_by_type.iter();
    let types: Vec<_> = types.map(|(name, count)| format!("{} {count}", plain(name))).collect();
    let unhandled = count(kept.unhandled, "message");
    let unhandled = match types.is_empty() {
        true => unhandled,
        false => format!("{unhandled} ({})", cut(&types.join(", "), 44)),
    };
    printed.field("unhandled", &unhandled);
    let timers = match status.timers.next_due_ms {
        Some(due) => format!("{}, next {}", status.timers.count, time_and_age(due, now_ms)),
        None => status.timers.count.to_string(),
    };
    printed.field("timers", &timers);
    printed.field("outbox", &count(status.outbox, "message"));
}

fn since_start(running: &RunningStatus, printed: &mut Printed) {
    let RunningStatus { accepted, fetched, duplicates, held, .. } = running;
    let all =
        format!("accepted {accepted}, fetched {fetched}, duplicates {duplicates}, held {held}");
    printed.field("since start", &all);
    if running.lost > 0 {
        printed.field("lost", &format!("{} by the broker", count(running.lost, "record")));
    }
    if running.mismatched > 0 {
        let records = count(running.mismatched, "record");
        printed.field(
            "mismatched",
            &format!("{records} of a known position, on the list of invalid ones"),
        );
    }
    let number = |head| Column { head, width_max: 12, side: Side::Right };
    let name = Column { head: "HANDLER", width_max: 30, side: Side::Left };
    let mut table = Table::new([name, number("HANDLED"), number("RETRIED"), number("DEAD")]);
    for (name, handler) in &running.handlers {
        let numbers = [handler.handled, handler.retried, handler.dead].map(|n| n.to_string());
        let [handled, retried, dead] = numbers;
        table.row([name.to_string(), handled, retried, dead], None);
    }
    printed.line("");
    table.lines().iter().for_each(|line| printed.line(format!("  {line}")));
}

/// What holds others up.
fn closed(status: &Status, printed: &mut Printed) {
    if status.kept.closed.is_empty() {
        return;
    }
    let column = |head, width_max, side| Column { head, width_max, side };
    let mut table = Table::new([
        column("HELD", 8, Side::Right),
        column("FOR", 5, Side::Left),
        column("KEY", 20, Side::Left),
        column("BEHIND", 37, Side::Left),
    ]);
    for closed in &status.kept.closed {
        let age = span(status.at_ms.saturating_sub(closed.since_ms));
        let key = closed.key.as_deref().unwrap_or("").to_owned();
        let handler = plain(&closed.handler);
        let behind = match &closed.waits_for {
            WaitsFor::DeadLetter { number, skip_ms, .. } => match skip_ms {
                None => format!("dead letter {number} of {handler}"),
                Some(at) => {
                    let rest = span(at.saturating_sub(status.at_ms));
                    format!("dead letter {number} of {handler}, {rest} more")
                }
            },
            WaitsFor::Retry { number, at_ms, .. } => {
                let rest = span(at_ms.saturating_sub(status.at_ms));
                format!("retry {number} of {handler} in {rest}")
            }
            _ => String::new(),
        };
        table.row([closed.held.to_string(), age, key, behind], None);
    }
    printed.line("");
    table.lines().iter().for_each(|line| printed.line(format!("  {line}")));
}
