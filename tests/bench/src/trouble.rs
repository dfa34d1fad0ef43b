//! Trouble with some keys: what it costs the others.
//!
//! One message of a hundred fails: by an error, a panic, or a hang until its timeout. All of them
//! are about a tenth of the keys. The other keys' messages are counted, and timed until the last
//! of them is handled, beside the same run without trouble.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use framework::prelude::*;
use framework::{Limits, Running};
use futures::stream;
use tokio::sync::{Notify, Semaphore};

use super::{Counted, body, key_of, median};

/// Messages of a run.
const MESSAGES: u64 = 400_000;
/// One key of so many is in trouble.
const KEYS_A_TROUBLED: u64 = 10;
/// One message of so many about such a key fails: one of a hundred of all.
const MESSAGES_A_FAILURE: u64 = 10;
/// Runs without trouble and with it, in turn.
const ROUNDS: usize = 5;

/// Whether messages of troubled keys fail.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Weather {
    #[value(name = "none")]
    Calm,
    #[value(name = "some")]
    Trouble,
}

/// What a handler needs to fail as it should, and to count.
struct Day {
    weather: Weather,
    /// How many may hang at a time; one more fails with an error instead.
    hangs: Semaphore,
    /// Messages of healthy keys that are to be handled.
    left: AtomicU64,
    done: Notify,
}

#[derive(State, Default, Serialize, Deserialize)]
#[state(name = "number")]
struct Numbered {
    count: u64,
}

#[handler(retry(attempts = 3, min = "50ms", max = "200ms"), timeout = "1s")]
async fn number(message: Counted, day: &Day, numbered: &mut Numbered) -> Result<()> {
    numbered.count += 1;
    if !is_troubled(message.number) {
        if day.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            day.done.notify_one();
        }
        return Ok(());
    }
    if day.weather == Weather::Calm {
        return Ok(());
    }
    match fault(message.number) {
        None => Ok(()),
        Some(0) => Err("injected".into()),
        Some(1) => std::panic::resume_unwind(Box::new("injected")),
        Some(_) => {
            let _hanging = day.hangs.try_acquire()?;
            std::future::pending().await
        }
    }
}

/// Whether a message's key is in trouble.
fn is_troubled(number: u64) -> bool {
    key_of(number).is_multiple_of(KEYS_A_TROUBLED)
}

/// How a message about such a key fails.
fn fault(number: u64) -> Option<u64> {
    let draw = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    draw.is_multiple_of(MESSAGES_A_FAILURE).then_some(draw / MESSAGES_A_FAILURE % 3)
}

/// Prints what trouble costs.
pub(crate) async fn all() -> anyhow::Result<()> {
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let calm = run(Weather::Calm).await?;
        let trouble = run(Weather::Trouble).await?;
        println!(
            "round {round}: healthy keys {calm:>9.0}/s, in trouble {trouble:>9.0}/s, ratio {:.3}",
            trouble / calm
        );
        ratios.push(trouble / calm);
    }
    println!("median:  ratio {:.3}", median(ratios));
    Ok(())
}

/// One run, to look at by itself.
pub(crate) async fn one(weather: Weather) -> anyhow::Result<()> {
    println!("healthy keys {:>9.0}/s", run(weather).await?);
    Ok(())
}

/// How many messages of healthy keys are handled a second.
async fn run(weather: Weather) -> anyhow::Result<f64> {
    let home = tempfile::tempdir()?;
    let healthy = (0..MESSAGES).filter(|number| !is_troubled(*number)).count() as u64;
    let day = Arc::new(Day {
        weather,
        hangs: Semaphore::new(Limits::default().in_flight_max / 10),
        left: AtomicU64::new(healthy),
        done: Notify::new(),
    });
    let app = App::new("days").provide_arc(Arc::clone(&day)).handlers(handlers![number]);
    let running = Running::start(home.path(), [app]).await?;
    let service = running.service("days").ok_or_else(|| anyhow::anyhow!("it does not run"))?;
    let started = Instant::now();
    let messages = stream::iter((0..MESSAGES).map(|number| (number, body(number))));
    service.producer().send_all_from("bench", messages).await?;
    day.done.notified().await;
    let took = started.elapsed();
    running.stop().await?;
    Ok(healthy as f64 / took.as_secs_f64())
}
