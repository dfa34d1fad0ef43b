//! The services, in a process of their own: `work`, `hang` or `check`, the directory of their
//! data, and the ledger, a file elsewhere that names the orders which were acknowledged.
//!
//! `work` sends orders and stops. `hang` sends orders and waits to be killed. `check` waits until
//! all is handled, and says what is not right.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use endwise_test_faults::{Invoiced, KEYS, Order, Ordered, apps, config, key};
use framework::{Producer, Running};
use futures::StreamExt;
use futures::stream::FuturesOrdered;

/// Orders of one run.
const ORDERS: u64 = 160;

/// Orders that are on their way at once.
const AHEAD: usize = 8;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().context("work, hang or check; the data; the ledger");
    let (verb, directory, ledger) = (next()?, next()?, next()?);
    let mut config = config(&directory);
    config.drain = Duration::from_secs(5);
    let running = Running::start(config, apps()).await?;
    match verb.as_str() {
        "work" => work(running, &ledger).await,
        "hang" => hang(running, &ledger).await,
        "check" => check(running, &ledger).await,
        other => bail!("{other}?"),
    }
}

async fn work(running: Running, ledger: &str) -> anyhow::Result<()> {
    let producer = running.service("shop").context("it was started")?.producer();
    let sent = tokio::select! {
        biased;
        ended = running.ended() => ended.map_err(anyhow::Error::from),
        sent = send(producer, ledger) => sent,
    };
    let settled = if sent.is_ok() { running.settle().await } else { Ok(()) };
    // Why a service has ended is said when it is stopped; a send says only that it has.
    running.stop().await?;
    settled?;
    sent
}

async fn hang(running: Running, ledger: &str) -> anyhow::Result<()> {
    let producer = running.service("shop").context("it was started")?.producer();
    send(producer, ledger).await?;
    println!("all sent");
    std::future::pending().await
}

/// Sends orders behind those of the ledger, and writes down what is acknowledged.
async fn send(producer: Producer, ledger: &str) -> anyhow::Result<()> {
    let first = read(ledger)?.last().map_or(0, |last| last + 1_000);
    let mut ledger = File::options().append(true).create(true).open(ledger)?;
    let (mut waiting, mut numbers) = (FuturesOrdered::new(), first..first + ORDERS);
    loop {
        while waiting.len() < AHEAD
            && let Some(n) = numbers.next()
        {
            let producer = producer.clone();
            waiting.push_back(async move { (n, producer.send(Order::of(n)).await) });
        }
        let Some((n, sent)) = waiting.next().await else { return Ok(()) };
        sent.with_context(|| format!("order {n} was not accepted"))?;
        writeln!(ledger, "{n}")?;
    }
}

/// What the ledger says was acknowledged.
fn read(ledger: &str) -> anyhow::Result<BTreeSet<u64>> {
    let text = match std::fs::read_to_string(ledger) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        text => text?,
    };
    text.lines().map(|line| Ok(line.parse()?)).collect()
}

async fn check(running: Running, ledger: &str) -> anyhow::Result<()> {
    running.settle().await?;
    let checked = all_is_right(&running, &read(ledger)?).await;
    running.stop().await?;
    checked
}

/// Each acknowledged order was handled once, in the order of its key, and so was what follows.
async fn all_is_right(running: &Running, ledger: &BTreeSet<u64>) -> anyhow::Result<()> {
    let service = |name: &str| running.service(name).context("it was started");
    let (shop, bank) = (service("shop")?, service("bank")?);
    let mut handled = BTreeSet::new();
    for number in 0..KEYS {
        let key = key(number);
        let ordered = shop.state::<Ordered>(&key).await?.unwrap_or_default().numbers;
        let invoiced = bank.state::<Invoiced>(&key).await?.unwrap_or_default().numbers;
        ensure!(ordered.is_sorted_by(|a, b| a < b), "{key}: doubled or reordered: {ordered:?}");
        ensure!(ordered == invoiced, "{key}: {ordered:?} were ordered, {invoiced:?} invoiced");
        handled.extend(ordered);
    }
    let lost: Vec<_> = ledger.difference(&handled).collect();
    ensure!(lost.is_empty(), "lost of what was acknowledged: {lost:?}");
    for service in [shop, bank] {
        let kept = service.status().await?.kept;
        ensure!((kept.dead, kept.held, kept.waiting) == (0, 0, 0), "{kept:?}");
    }
    Ok(())
}
