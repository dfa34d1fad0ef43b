//! What can be asked about dead letters.

use clap::Subcommand;

use super::super::args::{Asked, Paged};
use super::super::words::Moment;
use crate::clock::Clock;
use crate::dead_letters::Filter;

/// Which of them.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    pub(super) verb: Letters,
}

#[derive(Debug, Subcommand)]
pub(super) enum Letters {
    /// Lists dead letters, records that are no message, or messages that no handler takes
    #[command(after_help = "Example: endwise dead-letters list endwise-data/bank --since 2h")]
    List {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        filter: Filters,
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        paged: Paged<u64>,
    },
    /// Shows dead letters whole: envelope, body, failures, what is held behind them
    #[command(after_help = "Example: endwise dead-letters show endwise-data/bank 7")]
    Show {
        #[command(flatten)]
        asked: Asked,
        /// Their numbers, as the list says
        #[arg(value_name = "NUMBER", required = true)]
        numbers: Vec<u64>,
        #[command(flatten)]
        of: Of,
    },
    /// Has dead letters handled again, each before what is held behind it
    #[command(after_help = "Example: endwise dead-letters replay endwise-data/bank 7 9\n         \
                      endwise dead-letters replay endwise-data/bank --error refused --all")]
    Replay {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        chosen: Chosen,
        /// Records that are no message, instead of dead letters: the running service decodes them
        /// again
        #[arg(long)]
        invalid: bool,
        /// Refused with what becomes of those
        #[arg(long, hide = true)]
        unhandled: bool,
    },
    /// Gives dead letters up for good; what is held behind them goes on
    #[command(after_help = "Example: endwise dead-letters discard endwise-data/bank 7\n         \
                      endwise dead-letters discard endwise-data/bank --invalid --all")]
    Discard {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        chosen: Chosen,
        #[command(flatten)]
        of: Of,
    },
}

/// What the numbers are those of.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Of {
    /// Records that are no message, instead of dead letters
    #[arg(long)]
    pub(super) invalid: bool,
    /// Messages of types that no handler takes, instead of dead letters
    #[arg(long, conflicts_with = "invalid")]
    pub(super) unhandled: bool,
}

/// Some by number, or all that fit.
#[derive(Debug, clap::Args)]
pub(super) struct Chosen {
    /// Their numbers, as the list says
    #[arg(value_name = "NUMBER", conflicts_with_all = ["handler", "key", "error", "type_name", "since", "until", "all"])]
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
    /// Those of this type
    #[arg(long = "type", value_name = "NAME")]
    type_name: Option<String>,
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
        if let Some(type_name) = &self.type_name {
            filter = filter.type_name(type_name.as_str());
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
