//! A start with a million messages that wait for their time.

use std::path::Path;
use std::time::{Duration, Instant};

use framework::Running;
use framework::prelude::*;
use futures::future::try_join_all;

use super::{Counted, body, process};

/// Messages that wait.
const TIMERS: u64 = 1_000_000;
/// How many are sent together.
const TOGETHER: u64 = 10_000;
/// Starts that are measured.
const STARTS: usize = 5;
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[handler]
async fn late(_: Counted) {}

fn app() -> App {
    App::new("late").handlers(handlers![late])
}

/// Fills a directory, then prints what a start on it takes, each in a process of its own.
pub(crate) fn all() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    process::again_in(&["timers", "fill"], home.path())?;
    (0..STARTS).try_for_each(|_| process::again_in(&["timers", "start"], home.path()))
}

/// Sends what is due in a year.
pub(crate) async fn fill(home: &Path) -> anyhow::Result<()> {
    let running = Running::start(home, [app()]).await?;
    let service = running.service("late").ok_or_else(|| anyhow::anyhow!("it does not run"))?;
    let producer = service.producer();
    for first in (0..TIMERS).step_by(usize::try_from(TOGETHER)?) {
        let sends = (first..first + TOGETHER)
            .map(|number| producer.send(body(number).delay(YEAR + Duration::from_secs(number))));
        try_join_all(sends).await?;
    }
    Ok(running.stop().await?)
}

/// Starts, and prints what that took.
pub(crate) async fn start(home: &Path) -> anyhow::Result<()> {
    let started = Instant::now();
    let running = Running::start(home, [app()]).await?;
    let (took, peak) = (started.elapsed(), process::peak_mib()?);
    let service = running.service("late").ok_or_else(|| anyhow::anyhow!("it does not run"))?;
    let timers = service.status().await?.timers.count;
    anyhow::ensure!(timers == TIMERS, "{timers} wait");
    println!("start with {timers} timers: {:.2} s, peak {peak} MiB", took.as_secs_f64());
    Ok(running.stop().await?)
}
