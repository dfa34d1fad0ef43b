//! What can be asked of the tool.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Parser, Subcommand};

use super::words::Moment;
use crate::clock::Clock;
use crate::dead_letters::Filter;

/// Looks after services that are built with Endwise.
///
/// DIR is a service's data directory (`endwise-data/bank`), or the one above it, for all services
/// in it. A service that runs is asked; where none runs, the store in the directory is opened.
#[derive(Debug, Parser)]
#[command(
    name = "endwise",
    bin_name = "endwise",
    version,
    after_help = "Exit codes: 0 done, 1 failed (in part or whole), 2 wrong usage, 3 nothing \
                  matched."
)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Says how a service is doing: ready or why not, and what waits for what
    #[command(after_help = "Example: endwise status endwise-data")]
    Status(Asked),
    /// What a service could not handle: look at it, replay it, discard it
    #[command(after_help = "Example: endwise dead-letters list endwise-data/bank")]
    DeadLetters {
        #[command(subcommand)]
        verb: Letters,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Letters {
    /// Lists dead letters, or with --invalid records that are no message
    #[command(after_help = "Example: endwise dead-letters list endwise-data/bank --since 2h")]
    List {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        filter: Filters,
        /// Records that are no message, instead of dead letters
        #[arg(long)]
        invalid: bool,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 100,
              value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
        limit: usize,
        /// Only higher numbers than this one, to read a list on
        #[arg(long, value_name = "NUMBER")]
        after: Option<u64>,
    },
    /// Shows dead letters whole: envelope, body, failures, what is held behind them
    #[command(after_help = "Example: endwise dead-letters show endwise-data/bank 7")]
    Show {
        #[command(flatten)]
        asked: Asked,
        /// Their numbers, as the list says
        #[arg(value_name = "NUMBER", required = true)]
        numbers: Vec<u64>,
        /// Records that are no message, instead of dead letters
        #[arg(long)]
        invalid: bool,
    },
    /// Has dead letters handled again, each before what is held behind it
    #[command(after_help = "Example: endwise dead-letters replay endwise-data/bank 7 9\n         \
                      endwise dead-letters replay endwise-data/bank --error refused --all")]
    Replay {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Gives dead letters up for good; what is held behind them goes on
    #[command(after_help = "Example: endwise dead-letters discard endwise-data/bank 7\n         \
                      endwise dead-letters discard endwise-data/bank --invalid --all")]
    Discard {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        chosen: Chosen,
        /// Records that are no message, instead of dead letters
        #[arg(long)]
        invalid: bool,
    },
}

/// Where, and how the answer is to look.
#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// A service's data directory, or the one above it
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// Answer in JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Some by number, or all that fit.
#[derive(Debug, clap::Args)]
pub(super) struct Chosen {
    /// Their numbers, as the list says
    #[arg(value_name = "NUMBER", conflicts_with_all = ["handler", "key", "error", "since", "until", "all"])]
    pub(super) numbers: Vec<u64>,
    #[command(flatten)]
    pub(super) filter: Filters,
    /// All that fit what else is said
    #[arg(long)]
    pub(super) all: bool,
}

/// Which ones fit.
#[derive(Debug, clap::Args)]
pub(super) struct Filters {
    /// Those of this handler
    #[arg(long, value_name = "NAME")]
    handler: Option<String>,
    /// Those of this key
    #[arg(long)]
    key: Option<String>,
    /// Those with this text in their last error
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Those given up since then: RFC 3339, or 30m 2h 7d ago
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Those given up before then
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
}

impl Filters {
    pub(super) fn filter(&self) -> Filter {
        let now_ms = Clock::system().now_ms();
        let mut filter = Filter::new();
        if let Some(handler) = &self.handler {
            filter = filter.handler(handler.as_str());
        }
        if let Some(key) = &self.key {
            filter = filter.key(key.as_str());
        }
        if let Some(error) = &self.error {
            filter = filter.error(error);
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
