//! `endwise consumers`.

use async_trait::async_trait;
use clap::Subcommand;
use serde::Serialize;

use super::args::Asked;
use super::brokers::BrokerPlace;
use super::print::{Printed, note};
use super::table::{Column, Side, Table};
use super::words::{bytes, count, plain, span};
use super::{Came, Command, Trouble};
use crate::broker::status::{BrokerStatus, ConsumerStatus};

/// What is to be done.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists them: whether each runs, and how far it is behind
    #[command(after_help = "Example: endwise consumers list endwise-data")]
    List {
        #[command(flatten)]
        asked: Asked,
    },
    /// Forgets one that does not run: what it has not settled is kept for it no more
    #[command(after_help = "Example: endwise consumers forget endwise-data audit --yes")]
    Forget {
        #[command(flatten)]
        asked: Asked,
        /// Its name: the service's
        #[arg(value_name = "NAME")]
        name: String,
        /// Do it, though messages are given up with it
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Serialize)]
struct Listed<'a> {
    consumers: &'a [ConsumerStatus],
}

#[derive(Serialize)]
struct Forgotten<'a> {
    forgotten: &'a str,
    given_up: u64,
}

#[async_trait]
impl Command for Args {
    async fn run(self, printed: &mut Printed) -> Result<Came, Trouble> {
        let (Verb::List { asked } | Verb::Forget { asked, .. }) = &self.verb;
        let (dir, json) = (asked.dir.clone(), asked.json);
        let mut way = BrokerPlace::of(&dir)?.open().await?;
        let is_running = way.is_running();
        let done = match way.status().await {
            Ok(found) => {
                let mut found = found.unwrap_or_default();
                found.consumers.iter_mut().for_each(|of| of.is_here &= is_running);
                match self.verb {
                    Verb::List { .. } => list(&found, json, printed),
                    Verb::Forget { name, yes, .. } => match may_forget(&found, &name, yes) {
                        Ok(()) => match way.forget(name.clone()).await {
                            Ok(given_up) => forgotten(&name, given_up, json, printed),
                            Err(trouble) => Err(trouble),
                        },
                        Err(trouble) => Err(trouble),
                    },
                }
            }
            Err(trouble) => Err(trouble),
        };
        way.close().await?;
        done
    }
}

/// Whether it is meant: what is given up is not undone.
fn may_forget(found: &BrokerStatus, name: &str, yes: bool) -> Result<(), Trouble> {
    let Some(of) = found.consumers.iter().find(|of| *of.consumer == *name) else { return Ok(()) };
    if of.is_here || yes || of.behind == 0 {
        return Ok(());
    }
    Err(Trouble::Usage(format!(
        "{} would be given up with {}, and nothing was done: add --yes to forget it",
        count(of.behind, "unsettled record"),
        plain(name)
    )))
}

fn forgotten(name: &str, behind: u64, json: bool, printed: &mut Printed) -> Result<Came, Trouble> {
    if json {
        printed.json(&Forgotten { forgotten: name, given_up: behind })?;
    } else {
        let records = count(behind, "unsettled record");
        printed.line(format!("{} is forgotten, and {records} given up", plain(name)));
    }
    Ok(Came::Done)
}

fn list(found: &BrokerStatus, json: bool, printed: &mut Printed) -> Result<Came, Trouble> {
    let came = if found.consumers.is_empty() { Came::NothingMatched } else { Came::Done };
    if json {
        printed.json(&Listed { consumers: &found.consumers })?;
        return Ok(came);
    }
    if found.consumers.is_empty() {
        note("the broker knows no consumer");
        return Ok(came);
    }
    let column = |head, width_max, side| Column { head, width_max, side };
    let mut table = Table::new([
        column("CONSUMER", 30, Side::Left),
        column("RUNS", 4, Side::Left),
        column("BEHIND", 12, Side::Right),
        column("HOLDS", 11, Side::Right),
        column("OLDEST", 6, Side::Right),
    ]);
    for of in &found.consumers {
        let age = of.waits_since_ms.map(|since| span(found.at_ms.saturating_sub(since)));
        let runs = if of.is_here { "yes" } else { "no" };
        table.row(
            [
                of.consumer.to_string(),
                runs.to_owned(),
                of.behind.to_string(),
                bytes(of.holds_bytes),
                age.unwrap_or_default(),
            ],
            None,
        );
    }
    table.lines().iter().for_each(|line| printed.line(line));
    Ok(came)
}
