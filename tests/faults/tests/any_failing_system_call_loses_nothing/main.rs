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

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

mod points;
mod process;

use points::{How, Point, points};
use process::{Faults, Outcome, run};

/// Points that are tried, unless the environment says otherwise.
const POINTS: usize = 110;

/// Processes that run at once: they wait for the disk most of the time.
const AT_ONCE: usize = 4;

/// Failures that are shown in full.
const SHOWN: usize = 8;

/// What the data are before the run in which a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Start {
    /// There are none.
    Nothing,
    /// As a stop left them.
    Stopped,
    /// As a kill left them.
    Killed,
}

#[tokio::test(flavor = "multi_thread")]
async fn any_failing_system_call_loses_nothing() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let Some(library) = compile(home.path())? else { return Ok(()) };
    let home = Arc::new(Home { dir: home.path().to_owned(), library });
    let mut all = Vec::new();
    for start in [Start::Nothing, Start::Stopped, Start::Killed] {
        home.prepare(start).await?;
        all.extend(points(start, &home.trace(start).await?));
    }
    if let Ok(only) = std::env::var("ENDWISE_FAULTS_ONLY") {
        all.retain(|point| only.split(' ').all(|part| point.to_string().contains(part)));
    }
    let (seed, chosen) = choose(&all)?;
    let (mut tasks, permits) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
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
    ensure!(report.reached > 0, "no call failed: was the library loaded?");
    Ok(())
}

/// Compiles the preload library; `None`, and loudly, if there is no compiler.
fn compile(home: &Path) -> anyhow::Result<Option<PathBuf>> {
    let (source, library) =
        (Path::new(env!("CARGO_MANIFEST_DIR")).join("preload/faults.c"), home.join("faults.so"));
    let compiler = std::env::var_os("CC").unwrap_or("cc".into());
    let mut command = std::process::Command::new(&compiler);
    command.args(["-O1", "-Wall", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl");
    match command.output() {
        Ok(done) if done.status.success() => Ok(Some(library)),
        Ok(done) => bail!("{}", String::from_utf8_lossy(&done.stderr)),
        Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            Err(error).context(format!("cannot run {}", compiler.display()))
        }
        Err(error) => {
            let text = format!("!! NOT CHECKED: failing calls: {}: {error}", compiler.display());
            writeln!(std::io::stderr(), "{text}")?;
            Ok(None)
        }
    }
}

/// The points that the environment asks for, and the seed that chose them.
fn choose(all: &[Point]) -> anyhow::Result<(u64, Vec<Point>)> {
    let wanted = match std::env::var("ENDWISE_FAULTS") {
        Ok(text) if text == "all" => all.len(),
        Ok(text) => text.parse().context("ENDWISE_FAULTS: all, or a number")?,
        Err(_) => POINTS,
    };
    let seed = match std::env::var("ENDWISE_FAULTS_SEED") {
        Ok(text) => text.parse().context("ENDWISE_FAULTS_SEED: a number")?,
        Err(_) => fastrand::u64(..),
    };
    Ok((seed, points::choose(all, wanted, seed)))
}

/// The test's directory.
struct Home {
    dir: PathBuf,
    library: PathBuf,
}

impl Home {
    fn data(&self, start: Start) -> PathBuf {
        self.dir.join(format!("{start:?}/data"))
    }

    fn ledger(&self, start: Start) -> PathBuf {
        self.dir.join(format!("{start:?}/ledger"))
    }

    /// Makes the data with which runs begin.
    async fn prepare(&self, start: Start) -> anyhow::Result<()> {
        std::fs::create_dir_all(self.dir.join(format!("{start:?}")))?;
        match start {
            Start::Nothing => Ok(()),
            Start::Stopped => {
                let done = self.run("work", &self.data(start), &self.ledger(start), None).await?;
                ensure!(done.is_well(), "a run without faults: {done}");
                Ok(())
            }
            Start::Killed => {
                copy(&self.dir.join("Stopped"), &self.dir.join("Killed"))?;
                let done = self.run("hang", &self.data(start), &self.ledger(start), None).await?;
                ensure!(done.was_killed, "{done}");
                Ok(())
            }
        }
    }

    /// Which calls a run makes without faults.
    async fn trace(&self, start: Start) -> anyhow::Result<String> {
        let (traced, file) = (self.dir.join("traced"), self.dir.join("trace"));
        copy(&self.dir.join(format!("{start:?}")), &traced)?;
        let faults = Faults::Trace(file.clone());
        let (data, ledger) = (traced.join("data"), traced.join("ledger"));
        let done = self.run("work", &data, &ledger, Some(faults)).await?;
        ensure!(done.is_well(), "a run without faults: {done}");
        let trace = std::fs::read_to_string(&file)?;
        std::fs::remove_file(file)?;
        std::fs::remove_dir_all(traced)?;
        Ok(trace)
    }

    /// Has a call fail, then looks at what is left.
    async fn try_point(&self, number: usize, point: &Point) -> anyhow::Result<Tried> {
        let dir = self.dir.join(format!("point-{number}"));
        copy(&self.dir.join(format!("{:?}", point.start)), &dir)?;
        let (data, ledger) = (dir.join("data"), dir.join("ledger"));
        let faults = Faults::Fail { call: point.call.clone(), at: point.at, how: point.how };
        let faulty = self.run("work", &data, &ledger, Some(faults)).await?;
        ensure!(faulty.has_ended(), "it hangs: {faulty}");
        ensure!(!faulty.has_panicked(), "it panicked: {faulty}");
        let failed = faulty.failed_call();
        let is_well = faulty.is_well();
        ensure!(is_well || failed.is_some(), "without a fault: {faulty}");
        ensure!(is_well || faulty.says_why(), "it does not say why: {faulty}");
        let checked = self.run("check", &data, &ledger, None).await?;
        ensure!(
            checked.is_well() && !checked.has_panicked(),
            "the start after it: {checked}\nbefore it: {faulty}"
        );
        std::fs::remove_dir_all(dir)?;
        Ok(match (failed, is_well) {
            (None, _) => Tried::NotReached,
            (Some(_), true) => Tried::WentOn,
            (Some(_), false) => Tried::Stopped,
        })
    }

    async fn run(
        &self,
        verb: &str,
        data: &Path,
        ledger: &Path,
        faults: Option<Faults>,
    ) -> anyhow::Result<Outcome> {
        run(&self.library, verb, data, ledger, faults).await
    }
}

/// What became of a point.
enum Tried {
    /// The call was not made that often this time.
    NotReached,
    /// The services went on.
    WentOn,
    /// They stopped.
    Stopped,
}

#[derive(Default)]
struct Report {
    reached: usize,
    kinds: BTreeMap<(String, How), [usize; 3]>,
    failures: Vec<String>,
}

impl Report {
    fn add(&mut self, point: Point, tried: anyhow::Result<Tried>) {
        let counts = self.kinds.entry((point.call.clone(), point.how)).or_default();
        match tried {
            Ok(Tried::NotReached) => counts[2] += 1,
            Ok(Tried::WentOn) => counts[0] += 1,
            Ok(Tried::Stopped) => counts[1] += 1,
            Err(error) => self.failures.push(format!("{point}: {error:#}")),
        }
        self.reached = self.kinds.values().map(|[on, stopped, _]| on + stopped).sum();
    }

    /// Not captured: the figures belong to the test's log.
    fn print(&self, all: usize, seed: u64) -> anyhow::Result<()> {
        let mut out = std::io::stderr();
        for failure in self.failures.iter().take(SHOWN) {
            writeln!(out, "!! {failure}\n")?;
        }
        writeln!(out, "failing calls: {} of {all} points, seed {seed}", self.reached)?;
        for ((call, how), [on, stopped, not_reached]) in &self.kinds {
            writeln!(
                out,
                "  {call:16} {how:8} {on:5} went on {stopped:5} stopped {not_reached:5} not reached",
                how = how.to_string()
            )?;
        }
        if !self.failures.is_empty() {
            let points: Vec<_> =
                self.failures.iter().filter_map(|f| f.split(": ").next()).collect();
            writeln!(out, "failed ({}):\n  {}", points.len(), points.join("\n  "))?;
            writeln!(out, "again: ENDWISE_FAULTS_SEED={seed} cargo test -p endwise-test-faults")?;
        }
        Ok(())
    }
}

/// Copies a directory.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    std::fs::set_permissions(to, from.metadata()?.permissions())?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
