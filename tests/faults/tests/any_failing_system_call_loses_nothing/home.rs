//! The test's directory, and what is tried there.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use super::points::Point;
use super::process::{Faults, Outcome, run};

/// What the data are before the run in which a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Start {
    /// There are none.
    Nothing,
    /// As a stop left them.
    Stopped,
    /// As a kill left them.
    Killed,
    /// As a stop left them, with many keys that are not met again soon.
    Cold,
}

impl Start {
    /// What the process does in which a call fails.
    fn verb(self) -> &'static str {
        match self {
            Start::Nothing | Start::Stopped | Start::Killed => "work",
            Start::Cold => "touch",
        }
    }
}

/// What became of a point.
pub(crate) enum Tried {
    /// The call was not made that often this time.
    NotReached,
    /// The services went on.
    WentOn,
    /// They stopped; in a checkpoint's batch, if so.
    Stopped { in_batch: bool },
}

/// The test's directory.
pub(crate) struct Home {
    dir: PathBuf,
    library: PathBuf,
}

impl Home {
    /// `None` if nothing can be tried here.
    pub(crate) fn new(dir: &Path) -> anyhow::Result<Option<Self>> {
        let library = compile(dir)?;
        Ok(library.map(|library| Home { dir: dir.to_owned(), library }))
    }

    fn data(&self, start: Start) -> PathBuf {
        self.dir.join(format!("{start:?}/data"))
    }

    fn ledger(&self, start: Start) -> PathBuf {
        self.dir.join(format!("{start:?}/ledger"))
    }

    /// Makes the data with which runs begin.
    pub(crate) async fn prepare(&self, start: Start) -> anyhow::Result<()> {
        std::fs::create_dir_all(self.dir.join(format!("{start:?}")))?;
        match start {
            Start::Nothing => Ok(()),
            Start::Stopped | Start::Cold => {
                let verb = if start == Start::Cold { "fill" } else { "work" };
                let done = self.run(verb, &self.data(start), &self.ledger(start), None).await?;
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
    pub(crate) async fn trace(&self, start: Start) -> anyhow::Result<String> {
        let (traced, file) = (self.dir.join("traced"), self.dir.join("trace"));
        copy(&self.dir.join(format!("{start:?}")), &traced)?;
        let faults = Faults::Trace(file.clone());
        let (data, ledger) = (traced.join("data"), traced.join("ledger"));
        let done = self.run(start.verb(), &data, &ledger, Some(faults)).await?;
        ensure!(done.is_well(), "a run without faults: {done}");
        let trace = std::fs::read_to_string(&file)?;
        std::fs::remove_file(file)?;
        std::fs::remove_dir_all(traced)?;
        Ok(trace)
    }

    /// Has a call fail, then looks at what is left.
    pub(crate) async fn try_point(&self, number: usize, point: &Point) -> anyhow::Result<Tried> {
        let dir = self.dir.join(format!("point-{number}"));
        copy(&self.dir.join(format!("{:?}", point.start)), &dir)?;
        let (data, ledger) = (dir.join("data"), dir.join("ledger"));
        let faults = Faults::Fail { call: point.call.clone(), at: point.at, how: point.how };
        let faulty = self.run(point.start.verb(), &data, &ledger, Some(faults)).await?;
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
            (Some(_), false) => Tried::Stopped { in_batch: faulty.was_in_batch() },
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
