//! `endwise timers`.

use async_trait::async_trait;
use clap::Subcommand;

use super::act::{Telling, Verb, tell};
use super::args::{Asked, Paged};
use super::lists::{Shown, list};
use super::place;
use super::print::Printed;
use super::table::{Column, Side, Table};
use super::way::Way;
use super::words::{When, bytes, count, cut, span, time};
use super::{Came, Command, Trouble};
use crate::admin::ask::timers;
use crate::clock::Clock;
use crate::timers::{TimerEntry, TimerFilter, WhichTimers};

/// Which of them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Timers,
}

#[derive(Debug, Subcommand)]
enum Timers {
    /// Lists messages that wait for their time, the first that is due first
    #[command(after_help = "Example: endwise timers list endwise-data/bank --type Reminder")]
    List {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        filters: Filters,
        #[command(flatten)]
        paged: Paged<String>,
    },
    /// Cancels messages that wait for their time: they are never sent
    #[command(after_help = "Example: endwise timers cancel endwise-data/bank 17\n         \
                            endwise timers cancel endwise-data/bank --key ada --yes")]
    Cancel {
        #[command(flatten)]
        asked: Asked,
        /// Their numbers, as the list says
        #[arg(value_name = "NUMBER", conflicts_with_all = FILTERS)]
        numbers: Vec<u64>,
        #[command(flatten)]
        filters: Filters,
        /// All there are
        #[arg(long, conflicts_with_all = FILTERS)]
        all: bool,
        /// Also if it is more than one
        #[arg(long)]
        yes: bool,
    },
}

const FILTERS: [&str; 7] = ["topic", "of_type", "key", "name", "handler", "since", "until"];

/// Which ones fit.
#[derive(Debug, Default, clap::Args)]
struct Filters {
    /// Those to this topic
    #[arg(long)]
    topic: Option<String>,
    /// Those of this type
    #[arg(long = "type", id = "of_type", value_name = "TYPE")]
    of_type: Option<String>,
    /// Those of this key
    #[arg(long)]
    key: Option<String>,
    /// Those that wait under this name
    #[arg(long)]
    name: Option<String>,
    /// Those that this handler sent
    #[arg(long, value_name = "NAME")]
    handler: Option<String>,
    /// Those due at this time or later: RFC 3339, or from now 30m 2h 7d
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Those due before this time
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
}

/// Says one more thing of which ones fit.
type Set = fn(TimerFilter, &str) -> TimerFilter;

impl Filters {
    fn filter(&self) -> TimerFilter {
        let now_ms = Clock::system().now_ms();
        let mut filter = TimerFilter::new();
        let texts: [(&Option<String>, Set); 5] = [
            (&self.topic, |filter, text| filter.topic(text)),
            (&self.of_type, |filter, text| filter.type_name(text)),
            (&self.key, |filter, text| filter.key(text)),
            (&self.name, |filter, text| filter.name(text)),
            (&self.handler, |filter, text| filter.handler(text)),
        ];
        for (text, set) in texts {
            if let Some(text) = text {
                filter = set(filter, text);
            }
        }
        if let Some(since) = self.since {
            filter = filter.since_ms(since.ms(now_ms));
        }
        if let Some(until) = self.until {
            filter = filter.until_ms(until.ms(now_ms));
        }
        filter
    }
}

const CANCEL: Verb =
    Verb { name: "cancel", is: ["is", "are"], done: "cancelled", later: "cancelled" };

#[async_trait]
impl Command for Args {
    async fn run(self, printed: &mut Printed) -> Result<Came, Trouble> {
        match self.verb {
            Timers::List { asked, filters, paged } => {
                let filter = filters.filter();
                let is_filtered = filter != TimerFilter::new() || paged.after.is_some();
                let mut filter = filter.limit(paged.limit);
                if let Some(after) = paged.after {
                    filter = filter.after(after);
                }
                let shown = Shown { one: "timer", is_filtered, lines: rows };
                list(&asked, timers::List { filter }, shown, printed).await
            }
            Timers::Cancel { asked, numbers, filters, all, yes } => {
                let filter = filters.filter();
                if numbers.is_empty() && !all && filter == TimerFilter::new() {
                    return Err(Trouble::Usage(
                        "nothing was cancelled: name the numbers, say which ones (--key, --type, \
                         ...), or --all"
                            .to_owned(),
                    ));
                }
                cancel(&asked, numbers, filter, yes, printed).await
            }
        }
    }
}

async fn cancel(
    asked: &Asked,
    numbers: Vec<u64>,
    filter: TimerFilter,
    yes: bool,
    printed: &mut Printed,
) -> Result<Came, Trouble> {
    let is_filtered = !numbers.is_empty() || filter != TimerFilter::new();
    let place = place::service(&asked.dir)?;
    let mut way = Way::open(&place).await?;
    let answer = match which(&mut way, numbers, filter, yes).await {
        Ok(which) => way.ask(timers::Cancel { which }).await,
        Err(trouble) => Err(trouble),
    };
    let is_running = way.is_running();
    way.close().await?;
    let (service, json) = (&*place.service, asked.json);
    let telling = Telling { service, is_running, json, one: "timer", is_filtered, verb: CANCEL };
    tell(&answer?, &telling, printed)
}

/// Which ones are meant. More than one that fit a filter have to be meant: it is not undone.
async fn which(
    way: &mut Way,
    numbers: Vec<u64>,
    filter: TimerFilter,
    yes: bool,
) -> Result<WhichTimers, Trouble> {
    if !numbers.is_empty() {
        return Ok(WhichTimers::Numbers(numbers));
    }
    if !yes {
        let number = way.ask(timers::Count { filter: filter.clone() }).await?.count;
        if number > 1 {
            return Err(Trouble::Usage(format!(
                "{} fit, and nothing was cancelled: add --yes to cancel all that fit, or name \
                 their numbers",
                count(number, "timer")
            )));
        }
    }
    Ok(WhichTimers::All(filter))
}

/// A list, for 80 columns; what it is below each.
fn rows(entries: &[TimerEntry], now_ms: u64) -> Vec<String> {
    let column = |head, width_max, side| Column { head, width_max, side };
    let mut table = Table::new([
        column("NUMBER", 8, Side::Right),
        column("DUE", 20, Side::Left),
        column("IN", 5, Side::Right),
        column("TYPE", 16, Side::Left),
        column("KEY", 12, Side::Left),
        column("NAME", 9, Side::Left),
    ]);
    for entry in entries {
        let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().unwrap_or("").to_owned();
        let sent = match &entry.handler {
            Some(handler) => format!("sent by {}", cut(handler, 24)),
            None => "from outside".to_owned(),
        };
        let topic = cut(&entry.topic, 22);
        table.row(
            [
                entry.number.to_string(),
                time(entry.due_ms),
                span(entry.due_ms.saturating_sub(now_ms)),
                entry.type_name.to_string(),
                text(&entry.key),
                text(&entry.name),
            ],
            Some(format!("        {sent}, to {topic}, {}", bytes(entry.bytes))),
        );
    }
    table.lines()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_long_things_fits_80_columns() {
        let long: std::sync::Arc<str> = "x".repeat(400).into();
        let entry = TimerEntry {
            number: 12_345_678,
            due_ms: 1_767_225_600_000,
            topic: long.clone(),
            type_name: long.clone(),
            key: Some(long.clone()),
            name: Some(long.clone()),
            handler: Some(long),
            bytes: 1_048_575,
        };
        for line in rows(&[entry], 1_767_225_300_000) {
            let plain = anstream::adapter::strip_str(&line).to_string();
            assert!(plain.chars().count() <= 80, "{plain}");
        }
    }
}
