//! A service in trouble, and the tool that looks after it.

use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use framework::broker::embedded::{EmbeddedBroker, EmbeddedOptions};
use framework::broker::{Broker, Publication};
use framework::prelude::*;
use framework::status::Readiness;
use framework::stream::Slot;
use framework::{Config, Running, Service};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "deposits", key = account)]
struct Deposit {
    account: String,
    cents: i64,
}

#[derive(State, Default, Serialize, Deserialize)]
#[state(name = "account")]
struct Account {
    history: Vec<i64>,
}

/// Whether what was wrong with negative amounts is mended.
#[derive(Clone, Default)]
struct Mended(Arc<AtomicBool>);

#[handler]
async fn deposit(cmd: Deposit, account: &mut Account, mended: &Mended) -> Result<()> {
    if cmd.cents < 0 && !mended.0.load(Ordering::Relaxed) {
        return Err(HandlerError::permanent(format!("{} is refused", cmd.cents)));
    }
    account.history.push(cmd.cents);
    Ok(())
}

/// Held while a process is made, and while directories are closed: until a new process runs its
/// program, it has open what its parent has, and with it the locks.
static FORK: Mutex<()> = Mutex::const_new(());

/// A bank that runs, and refuses negative amounts until it is mended.
pub(crate) struct Bank {
    running: Running,
    mended: Mended,
}

impl Bank {
    pub(crate) async fn start(config: impl Into<Config>) -> anyhow::Result<Bank> {
        Bank::start_with(config.into(), Mended::default()).await
    }

    pub(crate) async fn start_mended(config: impl Into<Config>) -> anyhow::Result<Bank> {
        Bank::start_with(config.into(), Mended(Arc::new(AtomicBool::new(true)))).await
    }

    async fn start_with(config: Config, mended: Mended) -> anyhow::Result<Bank> {
        let app = App::new("bank").provide(mended.clone()).handlers(handlers![deposit]);
        Ok(Bank { running: Running::start(config, [app]).await?, mended })
    }

    pub(crate) fn ready(&self) -> Readiness {
        self.service().ready()
    }

    fn service(&self) -> &Service {
        self.running.service("bank").expect("it was started")
    }

    /// Sends amounts in, and waits until they are handled, dead, or held.
    pub(crate) async fn deposit(&mut self, amounts: &[(&str, i64)]) -> anyhow::Result<()> {
        for (account, cents) in amounts {
            let deposit = Deposit { account: (*account).into(), cents: *cents };
            self.service().producer().send(deposit).await?;
        }
        self.settle().await
    }

    /// Sends an amount in that is to be handled after that time.
    pub(crate) async fn deposit_later(&self, account: &str, wait: Duration) -> anyhow::Result<()> {
        let deposit = Deposit { account: account.into(), cents: 1 };
        Ok(self.service().producer().send(deposit.delay(wait)).await?)
    }

    pub(crate) async fn settle(&mut self) -> anyhow::Result<()> {
        Ok(self.running.settle().await?)
    }

    pub(crate) fn mend(&self) {
        self.mended.0.store(true, Ordering::Relaxed);
    }

    pub(crate) async fn history(&self, account: &str) -> anyhow::Result<Vec<i64>> {
        let state = self.service().state::<Account>(account).await?;
        Ok(state.map(|state| state.history).unwrap_or_default())
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let _fork = FORK.lock().await;
        Ok(self.running.stop().await?)
    }
}

/// Publishes a record without anything that makes it a message, while no service runs.
pub(crate) async fn publish_raw(
    home: &Path,
    topic: &str,
    body: &'static [u8],
) -> anyhow::Result<()> {
    let broker = EmbeddedBroker::open(home.join("broker"), EmbeddedOptions::default())?;
    let mut publisher = broker.publisher().await?;
    let record = Publication {
        topic: topic.into(),
        slot: Slot(0),
        key: None,
        headers: Default::default(),
        body: body.into(),
    };
    publisher.publish(vec![record]).await?;
    drop(publisher);
    let _fork = FORK.lock().await;
    Ok(broker.close().await?)
}

/// What the tool has said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    fn of(output: Output) -> anyhow::Result<Said> {
        Ok(Said {
            code: output.status.code().expect("it is not killed"),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        })
    }

    pub(crate) fn json(&self) -> anyhow::Result<serde_json::Value> {
        Ok(serde_json::from_str(&self.out)?)
    }
}

async fn spawn(command: &mut Command) -> anyhow::Result<Child> {
    let _fork = FORK.lock().await;
    Ok(command.spawn()?)
}

/// Runs the tool: verb, directory, the rest.
pub(crate) async fn tool(verb: &[&str], dir: &Path, rest: &[&str]) -> anyhow::Result<Said> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_endwise-test-cli"));
    command.args(verb).arg(dir).args(rest).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Said::of(spawn(&mut command).await?.wait_with_output().await?)
}

/// The same, with something on its standard input.
pub(crate) async fn tool_fed(
    verb: &[&str],
    dir: &Path,
    rest: &[&str],
    input: &str,
) -> anyhow::Result<Said> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_endwise-test-cli"));
    command.args(verb).arg(dir).args(rest).stdin(Stdio::piped());
    let mut child = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped())).await?;
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).await?;
    drop(stdin);
    Said::of(child.wait_with_output().await?)
}

/// Asks for the status, and reads nothing of it, as in `endwise status DIR | true`.
pub(crate) async fn seen_enough(dir: &Path) -> anyhow::Result<ExitStatus> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_endwise-test-cli"));
    let mut child = spawn(command.arg("status").arg(dir).stdout(Stdio::piped())).await?;
    drop(child.stdout.take());
    Ok(child.wait().await?)
}

/// The numbers that a list in JSON has.
pub(crate) fn numbers(listed: &serde_json::Value) -> Vec<u64> {
    let services = listed["services"].as_array().expect("services").iter();
    let items = services.flat_map(|service| service["items"].as_array().expect("items"));
    items
        .map(|item| item["number"].as_u64().or(item["entry"]["number"].as_u64()).unwrap())
        .collect()
}

/// The number of a key's first dead letter.
pub(crate) async fn dead_of(key: &str, home: &Path) -> anyhow::Result<String> {
    let listed = tool(&["dead-letters", "list"], home, &["--key", key, "--json"]).await?;
    Ok(numbers(&listed.json()?)[0].to_string())
}
