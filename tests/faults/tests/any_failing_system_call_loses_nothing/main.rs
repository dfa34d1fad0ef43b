//! Fails one system call after another, on any file of the services' data. The services may stop,
//! and say why; after the next start, on a disk that is well, nothing acknowledged is lost,
//! doubled or reordered.
//!
//! All calls of the runs are some thousands; by default a part of them is tried, of each kind of
//! call some. `ENDWISE_FAULTS=all` tries all, `ENDWISE_FAULTS=N` about N, and
//! `ENDWISE_FAULTS_ONLY="pread /sled/db"` of those alone whose description has these words.
//! `ENDWISE_FAULTS_SEED` chooses others; a failure prints its own. No call that syncs is made: a
//! process dies here, and not the power.
#![cfg(all(test, target_os = "linux"))]

use std::sync::Arc;

use anyhow::{Context, ensure};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

mod home;
mod points;
mod process;
mod report;

use home::{Home, Start};
use points::{How, Point, points};
use report::Report;

/// Points that are tried, unless the environment says otherwise.
const POINTS: usize = 40;

/// Reads of cold keys that are tried, unless the environment says otherwise.
const COLD_POINTS: usize = 8;

/// Processes that run at once: they wait for the disk most of the time.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn any_failing_system_call_loses_nothing() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let Some(home) = Home::new(dir.path())? else { return Ok(()) };
    let mut all = Vec::new();
    for start in [Start::Nothing, Start::Stopped, Start::Killed] {
        home.prepare(start).await?;
        all.extend(points(start, &home.trace(start).await?));
    }
    try_some(home, all, POINTS).await?;
    Ok(())
}

/// sled lets half a batch out when it cannot read one of its pages for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_fails_in_a_checkpoint_loses_nothing() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let Some(home) = Home::new(dir.path())? else { return Ok(()) };
    home.prepare(Start::Cold).await?;
    let trace = home.trace(Start::Cold).await?;
    // What is read before is read while opening.
    let started = trace.rfind("bind ").context("the services were started")?;
    let (opening, _) = trace.split_at(started);
    let opening = opening.lines().filter(|line| line.starts_with("pread ")).count();
    let mut all = points(Start::Cold, &trace);
    all.retain(|point| {
        let is_read = (point.call.as_str(), point.file.as_str()) == ("pread", "/sled/db");
        is_read && point.how == How::Eio && point.at > opening
    });
    let report = try_some(home, all, COLD_POINTS).await?;
    let few = report.reached < COLD_POINTS / 2;
    ensure!(few || report.in_batches > 0, "no read failed in a checkpoint's batch");
    Ok(())
}

/// Tries the points that the environment asks for, and about so many if it does not.
async fn try_some(home: Home, mut all: Vec<Point>, wanted: usize) -> anyhow::Result<Report> {
    let only = std::env::var("ENDWISE_FAULTS_ONLY").ok();
    if let Some(only) = &only {
        all.retain(|point| only.split(' ').all(|part| point.to_string().contains(part)));
    }
    let (seed, chosen) = choose(&all, wanted)?;
    let (home, permits) = (Arc::new(home), Arc::new(Semaphore::new(AT_ONCE)));
    let mut tasks = JoinSet::new();
    for (number, point) in chosen.into_iter().enumerate() {
        let (home, permits) = (Arc::clone(&home), Arc::clone(&permits));
        tasks.spawn(async move {
            let _permit = permits.acquire_owned().await;
            let tried = home.try_point(number, &point).await;
            (point, tried)
        });
    }
    let mut report = Report::default();
    while let Some(done) = tasks.join_next().await {
        let (point, tried) = done?;
        report.add(point, tried);
    }
    report.print(all.len(), seed)?;
    ensure!(report.failures.is_empty(), "{} of them, see above", report.failures.len());
    let none = only.is_some() && all.is_empty();
    ensure!(none || report.reached > 0, "no call failed: was the library loaded?");
    Ok(report)
}

/// The points that the environment asks for, and the seed that chose them.
fn choose(all: &[Point], wanted: usize) -> anyhow::Result<(u64, Vec<Point>)> {
    let wanted = match std::env::var("ENDWISE_FAULTS") {
        Ok(text) if text == "all" => all.len(),
        Ok(text) => text.parse().context("ENDWISE_FAULTS: all, or a number")?,
        Err(_) => wanted,
    };
    let seed = match std::env::var("ENDWISE_FAULTS_SEED") {
        Ok(text) => text.parse().context("ENDWISE_FAULTS_SEED: a number")?,
        Err(_) => fastrand::u64(..),
    };
    Ok((seed, points::choose(all, wanted, seed)))
}
