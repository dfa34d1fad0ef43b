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

use std::path::Path;

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

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words {
        [] => beside::all().await,
        ["flood"] => flood::all(),
        ["flood", count] => flood::one(count.parse()?).await,
        ["trouble"] => trouble::all().await,
        ["trouble", "none"] => trouble::one(trouble::Weather::Calm).await,
        ["trouble", "some"] => trouble::one(trouble::Weather::Trouble).await,
        ["timers"] => timers::all(),
        ["timers", "fill", home] => timers::fill(Path::new(home)).await,
        ["timers", "start", home] => timers::start(Path::new(home)).await,
        ["kept"] => kept::all(),
        ["kept", "fill", home] => kept::fill(Path::new(home)).await,
        ["kept", "start", home] => kept::start(Path::new(home)).await,
        _ => anyhow::bail!("say nothing, or one of: flood, trouble, timers, kept"),
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
