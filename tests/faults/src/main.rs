//! The services, in a process of their own: a verb, the directory of their data, and the ledger, a
//! file elsewhere that names the orders which were acknowledged.
//!
//! `work` sends orders and stops; `fill` sends one of each cold key, and `touch` of some of them.
//! `hang` sends orders and waits to be killed. `check` waits until all is handled, and says what
//! is not right.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use endwise_test_faults::{COLD, COLD_KEYS, Invoiced, KEYS, Order, Ordered, apps, config, key_of};
use framework::{Producer, Running};
use futures::StreamExt;
use futures::stream::FuturesOrdered;

/// Orders of one run.
const ORDERS: u64 = 160;

/// Of so many cold keys one is touched: so many that each is on a page of its own.
const TOUCHED: usize = 5;

/// Orders that are on their way at once.
const AHEAD: usize = 8;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().context("a verb; the data; the ledger");
    let (verb, directory, ledger) = (next()?, next()?, next()?);
    let mut config = config(&directory);
    config.drain = Duration::from_secs(5);
    let running = Running::start(config, apps()).await?;
    match verb.as_str() {
        "work" => work(running, next_orders(&ledger)?, &ledger).await,
        "fill" => work(running, COLD..COLD + COLD_KEYS, &ledger).await,
        "touch" => {
            let again = COLD + COLD_KEYS..COLD + 2 * COLD_KEYS;
            work(running, again.step_by(TOUCHED), &ledger).await
        }
        "hang" => hang(running, &ledger).await,
        "check" => check(running, &ledger).await,
        other => bail!("{other}?"),
    }
}

/// The numbers behind those of the ledger.
fn next_orders(ledger: &str) -> anyhow::Result<Range<u64>> {
    let first = read(ledger)?.last().map_or(0, |last| last + 1_000);
    Ok(first..first + ORDERS)
}

async fn work(
    running: Running,
    numbers: impl Iterator<Item = u64>,
    ledger: &str,
) -> anyhow::Result<()> {
    let producer = running.service("shop").context("it was started")?.producer();
    let sent = tokio::select! {
        biased;
        ended = running.ended() => ended.map_err(anyhow::Error::from),
        sent = send(producer, numbers, ledger) => sent,
    };
    let settled = if sent.is_ok() { running.settle().await } else { Ok(()) };
    // Why a service has ended is said when it is stopped; a send says only that it has.
    running.stop().await?;
    settled?;
    sent
}

async fn hang(running: Running, ledger: &str) -> anyhow::Result<()> {
    let producer = running.service("shop").context("it was started")?.producer();
    send(producer, next_orders(ledger)?, ledger).await?;
    println!("all sent");
    std::future::pending().await
}

/// Sends orders, and writes down what is acknowledged.
async fn send(
    producer: Producer,
    mut numbers: impl Iterator<Item = u64>,
    ledger: &str,
) -> anyhow::Result<()> {
    let mut ledger = File::options().append(true).create(true).open(ledger)?;
    let mut waiting = FuturesOrdered::new();
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
    let keys = (0..KEYS).chain(ledger.iter().copied()).map(key_of);
    for key in keys.collect::<BTreeSet<_>>() {
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
