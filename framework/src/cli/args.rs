//! What the commands have in common.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::RangedU64ValueParser;

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

/// Which part of a list; the place at which to read it on is what the list said under `next`.
#[derive(Debug, clap::Args)]
pub(super) struct Paged<T>
where
    T: FromStr + Clone + Send + Sync + 'static,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(super) limit: usize,
    /// Only what comes behind this one, to read a list on
    #[arg(long, value_name = "NEXT")]
    pub(super) after: Option<T>,
}
