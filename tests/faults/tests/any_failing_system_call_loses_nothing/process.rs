//! The services in a process of their own, with a call that fails.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use super::points::How;

/// A run that takes longer hangs: it takes a second or two.
const DEADLINE: Duration = Duration::from_secs(60);

/// What the preload library does.
pub(crate) enum Faults {
    /// Writes down all calls.
    Trace(PathBuf),
    /// Fails one.
    Fail { call: String, at: usize, how: How },
}

/// What a process did.
pub(crate) struct Outcome {
    /// `None` if it did not end.
    status: Option<ExitStatus>,
    pub(crate) was_killed: bool,
    error: String,
}

/// Runs a verb. `hang` is killed when it has said that all is sent.
pub(crate) async fn run(
    library: &Path,
    verb: &str,
    data: &Path,
    ledger: &Path,
    faults: Option<Faults>,
) -> anyhow::Result<Outcome> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_endwise-test-faults"));
    command.arg(verb).arg(data).arg(ledger).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env("LD_PRELOAD", library).env("FAULTS_DIR", data).env_remove("RUST_BACKTRACE");
    match faults {
        None => {}
        Some(Faults::Trace(file)) => {
            command.env("FAULTS_TRACE", file);
        }
        Some(Faults::Fail { call, at, how }) => {
            command.env("FAULTS_CALL", call).env("FAULTS_AT", at.to_string());
            command.env("FAULTS_HOW", how.to_string());
        }
    }
    let mut child = command.spawn()?;
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let mut error = Vec::new();
    let reading = async {
        if let Some(err) = &mut err {
            let _ = err.read_to_end(&mut error).await;
        }
    };
    let mut was_killed = false;
    let ending = async {
        let mut line = String::new();
        if let Some(out) = &mut out {
            let _ = BufReader::new(out).read_line(&mut line).await;
        }
        if line.starts_with("all sent") {
            was_killed = true;
            let _ = child.start_kill();
        }
        child.wait().await
    };
    let ended = tokio::time::timeout(DEADLINE, async { tokio::join!(ending, reading).0 }).await;
    let status = match ended {
        Ok(status) => Some(status?),
        Err(_) => None,
    };
    let error = String::from_utf8_lossy(&error).into_owned();
    Ok(Outcome { status, was_killed, error })
}

impl Outcome {
    pub(crate) fn has_ended(&self) -> bool {
        self.status.is_some()
    }

    pub(crate) fn is_well(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    pub(crate) fn has_panicked(&self) -> bool {
        self.error.contains("panicked")
    }

    /// The call that failed, if it was reached.
    pub(crate) fn failed_call(&self) -> Option<&str> {
        self.error.lines().find_map(|line| line.strip_prefix("FAILED "))
    }

    /// Whether it ended as a checkpoint's batch could not be written.
    pub(crate) fn was_in_batch(&self) -> bool {
        self.error.contains("writing a checkpoint")
    }

    /// Whether the error with which it ended names a file or directory of the data.
    pub(crate) fn says_why(&self) -> bool {
        let said = self.error.lines().skip_while(|line| !line.starts_with("Error: "));
        said.into_iter().any(|line| line.contains("/data"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}\n{}", self.status, self.error)
    }
}
