//! `endwise streams`.

use async_trait::async_trait;
use clap::Subcommand;
use serde::Serialize;

use super::args::Asked;
use super::place;
use super::print::{Printed, note};
use super::table::{Column, Side, Table};
use super::way::{Each, each, once};
use super::{Came, Command, Trouble};
use crate::admin::ask;
use crate::status::FullStream;

/// Which of it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists the streams of which nothing more is taken, since too much of them never came
    #[command(after_help = "Example: endwise streams list endwise-data")]
    List {
        #[command(flatten)]
        asked: Asked,
    },
    /// Takes what never came of a stream for lost, so that the service goes on with it
    #[command(after_help = "Example: endwise streams accept-lost endwise-data/bank \
                            shop/b93e4418b4f6bc72/0/orders/47")]
    AcceptLost {
        #[command(flatten)]
        asked: Asked,
        /// The stream, as the list says
        #[arg(value_name = "STREAM")]
        stream: String,
    },
}

#[derive(Serialize)]
struct Listed {
    service: String,
    streams: Vec<FullStream>,
}

#[derive(Serialize)]
struct Lists {
    services: Vec<Listed>,
}

#[async_trait]
impl Command for Args {
    async fn run(self, printed: &mut Printed) -> Result<Came, Trouble> {
        match self.verb {
            Verb::List { asked } => list(&asked, printed).await,
            Verb::AcceptLost { asked, stream } => accept(&asked, stream, printed).await,
        }
    }
}

async fn list(asked: &Asked, printed: &mut Printed) -> Result<Came, Trouble> {
    let Each { answers, came } = each(&asked.dir, ask::status::Ask {}).await?;
    let lists = answers.into_iter().map(|(place, answer)| Listed {
        service: place.service.to_string(),
        streams: answer.status.running.map(|running| running.full_streams).unwrap_or_default(),
    });
    let services: Vec<Listed> = lists.collect();
    let is_empty = services.iter().all(|one| one.streams.is_empty());
    let came = if is_empty && came == Came::Done { Came::NothingMatched } else { came };
    if asked.json {
        printed.json(&Lists { services })?;
        return Ok(came);
    }
    if is_empty {
        note("no stream is full, of the services that run");
        return Ok(came);
    }
    let column = |head, width_max, side| Column { head, width_max, side };
    let mut table = Table::new([
        column("SERVICE", 20, Side::Left),
        column("HOLES", 8, Side::Right),
        column("WAITING", 8, Side::Right),
        column("STREAM", 120, Side::Left),
    ]);
    for Listed { service, streams } in services {
        for FullStream { stream, holes, waiting } in streams {
            let (holes, waiting) = (holes.to_string(), waiting.to_string());
            table.row([service.clone(), holes, waiting, stream.to_string()], None);
        }
    }
    table.lines().iter().for_each(|line| printed.line(line));
    Ok(came)
}

async fn accept(asked: &Asked, stream: String, printed: &mut Printed) -> Result<Came, Trouble> {
    let place = place::service(&asked.dir)?;
    let question = ask::streams::AcceptLost { stream: stream.clone() };
    let answer = once(&place, question).await?;
    if asked.json {
        printed.json(&answer)?;
    } else if answer.found {
        printed.line(format!("what never came of {stream} is taken for lost"));
    } else {
        note(&format!("nothing was ever received of a stream {stream}"));
    }
    Ok(if answer.found { Came::Done } else { Came::NothingMatched })
}
