//! What the framework costs: `cargo run --release -p endwise-bench -- CASE`. Machines differ and
//! are noisy; a ratio of two things that take turns in one run is what to compare.
//!
//! | case | what it prints |
//! |---|---|
//! | none | messages a second, beside a plain loop that is as durable |
//! | `flood` | the peak of memory with a producer ten times as fast as its handler |
//! | `trouble` | what is left of the healthy keys' messages a second when others fail and hang |
//! | `timers` | start time and peak of memory with 1,000,000 messages that wait for their time |
//! | `kept` | the same with 99,000 deliveries that are dead letters or wait behind one |
//!
//! All messages are about 10,000 keys, and have about 200 bytes of JSON.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use framework::prelude::*;

mod beside;
mod flood;
mod kept;
mod process;
mod timers;
mod trouble;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keys that the messages are about.
const KEYS: u64 = 10_000;

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "counted", key = key)]
struct Counted {
    key: String,
    number: u64,
    text: String,
}

/// Measures what the framework costs. Without a case: messages a second, beside a plain loop that
/// is as durable.
#[derive(Parser)]
#[command(name = "endwise-bench")]
struct Arguments {
    #[command(subcommand)]
    case: Option<Case>,
}

/// A case, and the part of it that a process of its own runs.
#[derive(Subcommand)]
enum Case {
    /// The peak of memory with a producer ten times as fast as its handler.
    Flood {
        #[arg(hide = true)]
        count: Option<u64>,
    },
    /// What is left of the healthy keys' messages a second when others fail and hang.
    Trouble {
        #[arg(hide = true)]
        weather: Option<trouble::Weather>,
    },
    /// Start time and peak of memory with 1,000,000 messages that wait for their time.
    Timers {
        #[command(subcommand)]
        step: Option<Step>,
    },
    /// The same with 99,000 deliveries that are dead letters or wait behind one.
    Kept {
        #[command(subcommand)]
        step: Option<Step>,
    },
}

#[derive(Subcommand)]
enum Step {
    #[command(hide = true)]
    Fill { home: PathBuf },
    #[command(hide = true)]
    Start { home: PathBuf },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().case).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("endwise-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(case: Option<Case>) -> anyhow::Result<()> {
    match case {
        None => beside::all().await,
        Some(Case::Flood { count: None }) => flood::all(),
        Some(Case::Flood { count: Some(count) }) => flood::one(count).await,
        Some(Case::Trouble { weather: None }) => trouble::all().await,
        Some(Case::Trouble { weather: Some(weather) }) => trouble::one(weather).await,
        Some(Case::Timers { step: None }) => timers::all(),
        Some(Case::Timers { step: Some(Step::Fill { home }) }) => timers::fill(&home).await,
        Some(Case::Timers { step: Some(Step::Start { home }) }) => timers::start(&home).await,
        Some(Case::Kept { step: None }) => kept::all(),
        Some(Case::Kept { step: Some(Step::Fill { home }) }) => kept::fill(&home).await,
        Some(Case::Kept { step: Some(Step::Start { home }) }) => kept::start(&home).await,
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The key of message `number`, as a number.
fn key_of(number: u64) -> u64 {
    number.wrapping_mul(2_654_435_761) % KEYS
}

/// The body of message `number`: about 200 bytes of JSON.
fn body(number: u64) -> Counted {
    Counted {
        key: format!("key-{:05}", key_of(number)),
        number,
        text: "the quick brown fox jumps over the lazy dog, and then it does so again; the dog \
               sleeps on, for it has seen all this before"
            .into(),
    }
}
