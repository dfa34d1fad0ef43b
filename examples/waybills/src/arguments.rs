//! What can be said on the command line.

use std::path::PathBuf;

use clap::Parser;

/// Moves status changes of waybills through two services and audits that each was billed once.
///
/// Without --input, changes are made up: --count of them, for --keys waybills, from --seed.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// Read changes from this file, a JSON object {"waybill","status","at","by"} a line; `-` is
    /// standard input. A line that is none is reported and counted, and the rest goes on.
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,

    /// Write each waybill's bill to this file, as it is stored: a line
    /// {"waybill","statuses","events"} a waybill.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// Keep the data in this directory. Started again with the same directory and the same input,
    /// the job goes on where it was, however it ended.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// How many changes to make up.
    #[arg(long, default_value_t = 100_000, conflicts_with = "input")]
    pub(crate) count: u64,

    /// For how many waybills to make them up.
    #[arg(long, default_value_t = 10_000, conflicts_with = "input",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) keys: u64,

    /// From which seed: the same one makes the same changes.
    #[arg(long, default_value_t = 1, conflicts_with = "input")]
    pub(crate) seed: u64,
}

impl Arguments {
    /// How many changes there will be, where that is known before.
    pub(crate) fn total(&self) -> Option<u64> {
        self.input.is_none().then_some(self.count)
    }
}
