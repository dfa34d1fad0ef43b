//! A start with nearly as many deliveries as a store keeps: dead letters, and what is held behind
//! them.

use std::path::Path;
use std::time::Instant;

use framework::Running;
use framework::prelude::*;
use futures::stream;
use tokio::sync::Notify;

use super::{Counted, KEYS, body, process};

/// Deliveries that are kept: a dead letter for each key, and those behind it. One thousand more
/// would stop the service from fetching.
const KEPT: u64 = 99_000;
/// Starts that are measured.
const STARTS: usize = 5;

/// Told when a message of a key without a dead letter was handled.
struct Fresh(Notify);

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "counted")]
struct Ping {}

#[derive(State, Default, Serialize, Deserialize)]
struct Numbered {
    count: u64,
}

#[handler]
async fn fails(_: Counted, _: &mut Numbered) -> Result<()> {
    Err(HandlerError::permanent("injected"))
}

#[handler]
async fn ping(_: Ping, fresh: &Fresh) {
    fresh.0.notify_one();
}

fn app() -> (App, std::sync::Arc<Fresh>) {
    let fresh = std::sync::Arc::new(Fresh(Notify::new()));
    let app = App::new("kept").provide_arc(fresh.clone()).handlers(handlers![fails, ping]);
    (app, fresh)
}

/// Fills a directory, then prints what a start on it takes, each in a process of its own.
pub(crate) fn all() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    process::again_in(&["kept", "fill"], home.path())?;
    (0..STARTS).try_for_each(|_| process::again_in(&["kept", "start"], home.path()))
}

/// Sends what fails.
pub(crate) async fn fill(home: &Path) -> anyhow::Result<()> {
    let started = Instant::now();
    let running = Running::start(home, [app().0]).await?;
    let service = running.service("kept").ok_or_else(|| anyhow::anyhow!("it does not run"))?;
    let messages = stream::iter((0..KEPT).map(|number| (number, body(number))));
    service.producer().send_all_from("bench", messages).await?;
    running.settle().await?;
    println!("kept in {:.2} s, peak {} MiB", started.elapsed().as_secs_f64(), process::peak_mib()?);
    Ok(running.stop().await?)
}

/// Starts, has a message of another key handled, and prints what that took.
pub(crate) async fn start(home: &Path) -> anyhow::Result<()> {
    let (app, fresh) = app();
    let started = Instant::now();
    let running = Running::start(home, [app]).await?;
    let (took, peak) = (started.elapsed(), process::peak_mib()?);
    let service = running.service("kept").ok_or_else(|| anyhow::anyhow!("it does not run"))?;
    service.producer().send(Ping {}).await?;
    fresh.0.notified().await;
    let handled = started.elapsed();
    let kept = service.status().await?.kept;
    anyhow::ensure!((kept.dead, kept.held) == (KEYS, KEPT - KEYS), "{kept:?}");
    println!(
        "start with {KEPT} kept deliveries: {:.2} s, a message of another key handled after \
         {:.2} s; peak {peak} MiB, later {} MiB",
        took.as_secs_f64(),
        handled.as_secs_f64(),
        process::peak_mib()?
    );
    Ok(running.stop().await?)
}
