//! The main job: status changes of waybills move through two services, and each is billed once.
//!
//! `shipping` takes a change in and charges for it; `billing` enters the charge and bills it. Both
//! run in this process, on the embedded broker and store. At the end an audit reads what they
//! have stored and says whether every accepted change was billed once, in its waybill's order.

use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use framework::{Config, Running};

mod arguments;
mod audit;
mod billing;
mod input;
mod latency;
mod messages;
mod report;
mod shipping;

use arguments::Arguments;
use latency::Latency;
use report::{Progress, Report};

/// Messages are made on one thread and dropped on another, which the system's allocator pays for with locks.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // What fails is told beside the bar: without a subscriber nobody sees a dead letter.
    let log =
        tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::WARN);
    log.with_writer(std::io::stderr).init();
    match run(arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("waybills: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Moves the input through both services; whether the audit holds.
async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let temporary = tempfile::tempdir().context("cannot make a temporary directory")?;
    let data = arguments.data.clone().unwrap_or_else(|| temporary.path().join("data"));
    let latency = Arc::new(Latency::default());
    let apps = [shipping::app(), billing::app(Arc::clone(&latency))];
    let config = Config { data, ..Config::load()? };
    let running = Running::start(config, apps).await?;

    let before = audit::billed(&running).await?;
    let progress = Progress::new(arguments.total());
    let started = Instant::now();
    let invalid = feed_and_settle(&arguments, &running, &latency, &progress, before).await?;
    let (took, loaded_for) = (started.elapsed(), latency.loaded_for());
    progress.finish();

    let audit = audit::audit(&running).await?;
    if let Some(path) = &arguments.out {
        audit::write_bills(&running, path).await?;
    }
    let latency = &*latency;
    Report { running: &running, latency, took, loaded_for, invalid, audit: &audit }.print();
    running.stop().await?;
    Ok(audit.holds())
}

/// Sends the input in and waits until all of it is billed, with the bar moving.
async fn feed_and_settle(
    arguments: &Arguments,
    running: &Running,
    latency: &Latency,
    progress: &Progress,
    before: u64,
) -> anyhow::Result<u64> {
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let producer = running.service("shipping").context("shipping does not run")?.producer();
    let mut feed = pin!(input::feed(arguments, &producer, latency));
    let invalid = loop {
        tokio::select! {
            invalid = &mut feed => break invalid?,
            ended = running.ended() => ended?,
            _ = ticks.tick() => progress.show(running, before),
        }
    };
    loop {
        tokio::select! {
            settled = running.settle() => break settled?,
            _ = ticks.tick() => {}
        }
        progress.show(running, before);
    }
    Ok(invalid)
}
