//! `endwise sources`.

use async_trait::async_trait;
use clap::Subcommand;
use serde::Serialize;

use super::args::{Asked, Paged};
use super::lists::{Shown, list};
use super::place;
use super::print::{Printed, note};
use super::table::{Column, Side, Table};
use super::way::Way;
use super::{Came, Command, Trouble};
use crate::admin::ask::sources;
use crate::sources::Source;

/// Which of them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists sources, each with the number that it sends next
    #[command(after_help = "Example: endwise sources list endwise-data/bank")]
    List {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        paged: Paged<String>,
    },
    /// Forgets sources: what they send again, from any number on, is handled again
    #[command(after_help = "Example: endwise sources retire endwise-data/bank 2026-01.csv")]
    Retire {
        #[command(flatten)]
        asked: Asked,
        /// Their names, as the list says
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
}

#[async_trait]
impl Command for Args {
    async fn run(self, printed: &mut Printed) -> Result<Came, Trouble> {
        match self.verb {
            Verb::List { asked, paged } => {
                let question = sources::List { after: paged.after, limit: Some(paged.limit) };
                let is_filtered = question.after.is_some();
                list(&asked, question, Shown { one: "source", is_filtered, lines: rows }, printed)
                    .await
            }
            Verb::Retire { asked, names } => retire(&asked, names, printed).await,
        }
    }
}

fn rows(sources: &[Source], _: u64) -> Vec<String> {
    let mut table = Table::new([
        Column { head: "SOURCE", width_max: 56, side: Side::Left },
        Column { head: "NEXT", width_max: 20, side: Side::Right },
    ]);
    for source in sources {
        table.row([source.name.to_string(), source.next.to_string()], None);
    }
    table.lines()
}

#[derive(Serialize)]
struct Json<'a> {
    service: &'a str,
    done: Vec<String>,
    missing: Vec<String>,
}

async fn retire(asked: &Asked, names: Vec<String>, printed: &mut Printed) -> Result<Came, Trouble> {
    let place = place::service(&asked.dir)?;
    let mut way = Way::open(&place).await?;
    let (mut done, mut missing, mut failed) = (Vec::new(), Vec::new(), None);
    for name in names {
        match way.ask(sources::Retire { source: name.clone() }).await {
            Ok(sources::Retired { retired: true }) => done.push(name),
            Ok(sources::Retired { retired: false }) => missing.push(name),
            Err(trouble) => {
                failed = Some(trouble);
                break;
            }
        }
    }
    way.close().await?;
    let came = match (done.is_empty(), missing.is_empty()) {
        (true, _) => Came::NothingMatched,
        (false, true) => Came::Done,
        (false, false) => Came::InPart,
    };
    if asked.json {
        printed.json(&Json { service: &place.service, done, missing })?;
    } else {
        done.iter().for_each(|name| printed.line(format!("{name} is retired")));
        missing.iter().for_each(|name| note(&format!("there is no source {name}")));
    }
    failed.map_or(Ok(came), Err)
}
