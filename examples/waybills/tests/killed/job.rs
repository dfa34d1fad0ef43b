//! The job as a process that is started, killed and started again.

use std::cell::RefCell;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

use super::check::Bills;

/// A job with its data directory.
pub(crate) struct Job {
    arguments: Vec<String>,
    input: Option<String>,
    home: RefCell<TempDir>,
    errors: RefCell<String>,
    random: RefCell<fastrand::Rng>,
}

/// The longest that a job may run before it is killed, at first.
const DELAY_MAX: Duration = Duration::from_millis(400);

/// How often a job that ended too early is begun anew, with half the time before each kill.
const ROUNDS: u32 = 6;

impl Job {
    pub(crate) fn new(name: &str, arguments: &[&str]) -> Self {
        let seed = std::env::var("ENDWISE_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| fastrand::u64(..));
        eprintln!("{name}: ENDWISE_SEED={seed} repeats the times at which it is killed");
        Job {
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            input: None,
            home: RefCell::new(tempfile::tempdir().unwrap()),
            errors: RefCell::default(),
            random: RefCell::new(fastrand::Rng::with_seed(seed)),
        }
    }

    /// The same job with that text as its standard input, each time it is started.
    pub(crate) fn fed(mut self, input: &str) -> Self {
        self.input = Some(input.to_owned());
        self
    }

    /// Kills the job so many times before it is done, then lets it finish.
    pub(crate) fn killed_and_finished(&self, kills: usize) -> Bills {
        for round in 0..ROUNDS {
            if self.killed(kills, DELAY_MAX / 2u32.pow(round)) {
                return self.finished();
            }
            // It was done too early to be killed as often: from the start, and sooner.
            self.home.replace(tempfile::tempdir().unwrap());
        }
        panic!("the job ends before it can be killed {kills} times");
    }

    /// Lets the job run to its end.
    pub(crate) fn finished(&self) -> Bills {
        let (mut child, feeding) = self.start();
        let output = child.wait_with_output_of(feeding);
        assert!(output.0.success(), "{}\n{}", output.1, output.2);
        assert!(output.1.contains("were billed once"), "{}", output.1);
        self.errors.replace(output.2);
        Bills::read(&std::fs::read_to_string(self.out()).unwrap()).unwrap()
    }

    /// What the job wrote to its standard error when it was last run to its end.
    pub(crate) fn last_errors(&self) -> String {
        self.errors.borrow().clone()
    }

    /// Whether the job could be killed so many times before it ended by itself.
    fn killed(&self, kills: usize, delay_max: Duration) -> bool {
        for kill in 0..kills {
            // Every third time within the first 50 ms, where it opens its files.
            let max = if kill % 3 == 0 { Duration::from_millis(50) } else { delay_max };
            let delay = max.mul_f64(self.random.borrow_mut().f64());
            let (child, _feeding) = self.start();
            if let Some(status) = killed_after(child, delay) {
                assert!(status.success(), "it failed by itself: {status}");
                return false;
            }
        }
        true
    }

    fn out(&self) -> PathBuf {
        self.home.borrow().path().join("bills.ndjson")
    }

    fn start(&self) -> (Running, Option<std::thread::JoinHandle<()>>) {
        let home = self.home.borrow();
        let mut command = Command::new(env!("CARGO_BIN_EXE_waybills"));
        command.args(&self.arguments).arg("--data").arg(home.path().join("data"));
        command.arg("--out").arg(self.out());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let feeding = self.input.clone().map(|input| {
            std::thread::spawn(move || {
                // A killed job reads no further.
                let _ = stdin.unwrap().write_all(input.as_bytes());
            })
        });
        (Running(child), feeding)
    }
}

/// A job's process; killed when the test ends before it.
struct Running(Child);

impl Running {
    fn wait_with_output_of(
        &mut self,
        feeding: Option<std::thread::JoinHandle<()>>,
    ) -> (ExitStatus, String, String) {
        let read = |mut from: Box<dyn std::io::Read + Send>| {
            std::thread::spawn(move || {
                let mut text = String::new();
                from.read_to_string(&mut text).unwrap();
                text
            })
        };
        let out = read(Box::new(self.0.stdout.take().unwrap()));
        let errors = read(Box::new(self.0.stderr.take().unwrap()));
        let status = self.0.wait().unwrap();
        feeding.into_iter().for_each(|feeding| feeding.join().unwrap());
        (status, out.join().unwrap(), errors.join().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Kills a job unless it ends by itself within the delay; how it ended then.
fn killed_after(mut running: Running, delay: Duration) -> Option<ExitStatus> {
    let out = running.0.stdout.take();
    let (ended, end) = mpsc::channel::<()>();
    let watching = std::thread::spawn(move || {
        // The output ends when the process does.
        std::io::copy(&mut out.unwrap(), &mut std::io::sink()).unwrap();
        drop(ended);
    });
    let is_over = end.recv_timeout(delay) == Err(mpsc::RecvTimeoutError::Disconnected);
    if !is_over {
        running.0.kill().unwrap();
    }
    let status = running.0.wait().unwrap();
    watching.join().unwrap();
    is_over.then_some(status)
}
