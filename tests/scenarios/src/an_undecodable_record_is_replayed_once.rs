//! A record that was no message is one once the program, or a limit, is mended: it is replayed, and
//! handled once by each handler that takes it.

use std::path::Path;

use framework::broker::embedded::{EmbeddedBroker, EmbeddedOptions};
use framework::broker::memory::MemoryBroker;
use framework::broker::{Broker, Publication};
use framework::dead_letters::{DeadLetters, Done, Filter};
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::stream::Slot;
use framework::testing::TestApp;
use framework::{Config, Running};

use crate::bank::{Account, deposit, deposit_of};
use crate::support::{in_time, until};

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "deposits", key = account)]
struct Undo {
    account: String,
}

#[handler]
async fn undo(_: Undo, account: &mut Account) {
    account.history.pop();
}

#[derive(Debug, Default, State, Serialize, Deserialize)]
struct Book {
    lines: Vec<(i64, bool)>,
}

/// A second handler of the same message; it notes what came late.
#[handler]
async fn book(cmd: crate::bank::Deposit, Late(late): Late, book: &mut Book) {
    book.lines.push((cmd.cents, late));
}

fn of_two_types() -> App {
    App::new("bank").handlers(handlers![deposit, book, undo])
}

fn of_one_type() -> App {
    App::new("bank").handlers(handlers![deposit, book]).retired_type("deposits", "Undo")
}

fn raw(headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Publication {
    Publication {
        topic: "deposits".into(),
        slot: Slot(0),
        key: None,
        headers: headers.iter().copied().collect(),
        body: body.into().into(),
    }
}

async fn history(bank: &TestApp, account: &str) -> anyhow::Result<Vec<i64>> {
    Ok(bank.state::<Account>(account).await?.unwrap_or_default().history)
}

async fn lines(bank: &TestApp, account: &str) -> anyhow::Result<Vec<(i64, bool)>> {
    Ok(bank.state::<Book>(account).await?.unwrap_or_default().lines)
}

async fn listed(bank: &TestApp) -> anyhow::Result<Vec<u64>> {
    let page = bank.dead_letters().invalid().list(&Filter::new()).await?;
    Ok(page.items.into_iter().map(|entry| entry.number).collect())
}

#[tokio::test(start_paused = true)]
async fn without_a_type_once_its_topic_has_one_type() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::new(1), MemoryStore::new(1));
    let mut bank = TestApp::start_on(of_two_types(), broker.clone(), store.clone()).await?;
    bank.publish(deposit_of("a", 1)).await?;
    in_time(bank.settle()).await?;
    broker.publish_again("deposits", raw(&[], r#"{"account":"a","cents":5}"#));
    broker.publish_again("deposits", raw(&[], r#"{"account":"b","cents":7}"#));
    broker.publish_again("deposits", raw(&[], "{no json"));
    in_time(bank.settle()).await?;
    let numbers = listed(&bank).await?;
    assert_eq!(numbers.len(), 3);

    // Not mended yet: nothing changes, and the answer says why.
    let done = bank.dead_letters().invalid().replay(Filter::new()).await?;
    assert!(done.done.is_empty() && done.missing.is_empty(), "{done:?}");
    let refused = done.refused.iter().map(|refused| refused.number);
    assert_eq!(refused.collect::<Vec<_>>(), numbers);
    assert!(done.refused[0].reason.contains("no ce_type header"), "{done:?}");
    assert_eq!(listed(&bank).await?, numbers);
    bank.stop().await?;

    let mut bank = TestApp::start_on(of_one_type(), broker.clone(), store.clone()).await?;
    bank.publish(deposit_of("a", 2)).await?;
    in_time(bank.settle()).await?;
    assert_eq!(history(&bank, "a").await?, [1, 2]);
    let invalid = bank.dead_letters().invalid();
    let done = invalid.replay(Filter::new().error("ce_type")).await?;
    assert_eq!(done.done, numbers[..2], "{done:?}");
    assert!(done.refused[0].reason.contains("its body is no JSON"), "the reason now: {done:?}");
    let again = invalid.replay(numbers.clone()).await?;
    assert_eq!((again.done, again.missing), (vec![], numbers[..2].to_vec()));
    in_time(bank.settle()).await?;

    for _ in 0..2 {
        assert_eq!(history(&bank, "a").await?, [1, 2, 5], "late, and once");
        assert_eq!(lines(&bank, "a").await?, [(1, false), (2, false), (5, true)]);
        assert_eq!(history(&bank, "b").await?, [7]);
        assert_eq!(lines(&bank, "b").await?, [(7, true)]);
        assert_eq!(listed(&bank).await?, numbers[2..]);
        assert_eq!(broker.unsettled("bank", "deposits"), 0);
        drop(bank);
        bank = TestApp::start_on(of_one_type(), broker.clone(), store.clone()).await?;
        in_time(bank.settle()).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn also_when_the_process_dies_before_it_is_handled() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::new(1), MemoryStore::new(1));
    let mut bank = TestApp::start_on(of_two_types(), broker.clone(), store.clone()).await?;
    for cents in 1..=40 {
        let body = format!(r#"{{"account":"a","cents":{cents}}}"#);
        broker.publish_again("deposits", raw(&[], body));
    }
    in_time(bank.settle()).await?;
    bank.stop().await?;
    let start = || TestApp::start_on(of_one_type(), broker.clone(), store.clone());
    let bank = start().await?;
    let invalid = bank.dead_letters().invalid();
    let done = invalid.replay(Filter::new().limit(20)).await?;
    assert_eq!(done.done.len(), 20);
    drop(bank);

    let bank = start().await?;
    // One who asks does not wait for the answer, and the process dies.
    let invalid = bank.dead_letters().invalid();
    let asked = tokio::spawn(async move { invalid.replay(Filter::new()).await });
    tokio::task::yield_now().await;
    drop(bank);
    // Whatever came of it is durable, or did not happen.
    let _ = in_time(asked).await?;

    let mut bank = start().await?;
    in_time(bank.settle()).await?;
    bank.dead_letters().invalid().replay(Filter::new()).await?;
    in_time(bank.settle()).await?;
    assert_eq!(history(&bank, "a").await?, (1..=40).collect::<Vec<_>>());
    assert_eq!(lines(&bank, "a").await?.len(), 40);
    assert!(listed(&bank).await?.is_empty());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn discarded_and_replayed_at_once_it_is_one_of_both() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::new(1), MemoryStore::new(1));
    let mut bank = TestApp::start_on(of_two_types(), broker.clone(), store.clone()).await?;
    for cents in 1..=20 {
        let body = format!(r#"{{"account":"a","cents":{cents}}}"#);
        broker.publish_again("deposits", raw(&[], body));
    }
    in_time(bank.settle()).await?;
    bank.stop().await?;
    let mut bank = TestApp::start_on(of_one_type(), broker, store).await?;
    let invalid = bank.dead_letters().invalid();
    let numbers = listed(&bank).await?;
    let (first, second, discarded) = tokio::join!(
        invalid.replay(numbers.clone()),
        invalid.replay(numbers.clone()),
        invalid.discard(numbers.clone()),
    );
    let done = |done: Result<Done, _>| done.map(|done: Done| done.done.len());
    let replayed = done(first)? + done(second)?;
    assert_eq!(replayed + done(discarded)?, numbers.len());
    in_time(bank.settle()).await?;
    assert_eq!(history(&bank, "a").await?.len(), replayed);
    assert_eq!(lines(&bank, "a").await?.len(), replayed);
    Ok(())
}

/// On disk, with another limit of what a message may have.
fn config(data: &Path, payload_bytes_max: usize) -> Config {
    let mut config = Config::from(data);
    config.limits.payload_bytes_max = payload_bytes_max;
    config
}

async fn publish(home: &Path, records: Vec<Publication>) -> anyhow::Result<()> {
    let broker = EmbeddedBroker::open(home.join("broker"), EmbeddedOptions::default())?;
    let mut publisher = broker.publisher().await?;
    publisher.publish(records).await?;
    drop(publisher);
    Ok(broker.close().await?)
}

/// A handle of it keeps the store open, so it is not kept over a stop.
fn letters(bank: &Running) -> DeadLetters {
    bank.service("bank").expect("it runs").dead_letters()
}

async fn history_of(bank: &Running, account: &str) -> anyhow::Result<Vec<i64>> {
    let service = bank.service("bank").expect("it runs");
    Ok(service.state::<Account>(account).await?.unwrap_or_default().history)
}

#[tokio::test]
async fn over_a_limit_that_was_raised() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let start = |most| Running::start(config(home.path(), most), [of_one_type()]);
    let ignoring = || {
        let app = of_one_type().ignore_types("deposits", ["Closed"]);
        Running::start(config(home.path(), 1_000), [app])
    };
    start(100).await?.stop().await?;
    let long = |account: &str| {
        let note = "x".repeat(100);
        format!(r#"{{"account":"{account}","cents":3,"note":"{note}"}}"#)
    };
    let typed = |name: &'static str| [("ce_type", name)];
    let records = vec![
        raw(&typed("Deposit"), long("a")),
        raw(&typed("Opened"), long("a")),
        raw(&typed("Closed"), long("a")),
    ];
    publish(home.path(), records).await?;
    let bank = start(100).await?;
    bank.settle().await?;
    let done = letters(&bank).invalid().replay(Filter::new()).await?;
    assert_eq!(done.refused.len(), 3, "{done:?}");
    assert!(done.refused[0].reason.contains("100 is the limit"), "{done:?}");
    bank.stop().await?;

    let mut bank = ignoring().await?;
    let done = letters(&bank).invalid().replay(Filter::new()).await?;
    assert_eq!(done.done.len(), 3, "{done:?}");
    bank.settle().await?;
    for _ in 0..2 {
        assert_eq!(letters(&bank).invalid().count(&Filter::new()).await?, 0);
        let unhandled = letters(&bank).unhandled().list(&Filter::new()).await?.items;
        let [one] = unhandled.as_slice() else { panic!("{unhandled:?}") };
        assert_eq!((&*one.type_name, &*one.topic), ("Opened", "deposits"));
        assert_eq!(history_of(&bank, "a").await?, [3]);
        bank.stop().await?;
        bank = ignoring().await?;
        bank.settle().await?;
    }
    bank.stop().await?;
    Ok(())
}

/// A message as another service of Endwise has sent it.
async fn sent_by_another(account: &str) -> anyhow::Result<Publication> {
    let elsewhere = MemoryBroker::new(1);
    let sender = TestApp::start_on(App::new("web"), elsewhere.clone(), MemoryStore::new(2)).await?;
    sender.publish(deposit_of(account, 3)).await?;
    until(|| !elsewhere.published("deposits").is_empty()).await;
    Ok(elsewhere.published("deposits").remove(0))
}

#[tokio::test]
async fn of_a_position_that_comes_again_before_or_after_it_is_replayed() -> anyhow::Result<()> {
    let sent = sent_by_another(&"a".repeat(100)).await?;
    for copy_comes_first in [true, false] {
        let home = tempfile::tempdir()?;
        let start = |most| Running::start(config(home.path(), most), [of_one_type()]);
        start(100).await?.stop().await?;
        publish(home.path(), vec![sent.clone(), sent.clone()]).await?;
        let bank = start(100).await?;
        bank.settle().await?;
        bank.stop().await?;
        let replay = async |bank: &mut Running| -> anyhow::Result<()> {
            let done = letters(bank).invalid().replay(Filter::new()).await?;
            assert_eq!(done.done.len(), 2, "{done:?}");
            Ok(bank.settle().await?)
        };
        if copy_comes_first {
            publish(home.path(), vec![sent.clone()]).await?;
        }
        let mut bank = start(1_000).await?;
        bank.settle().await?;
        replay(&mut bank).await?;
        bank.stop().await?;
        publish(home.path(), vec![sent.clone()]).await?;
        let bank = start(1_000).await?;
        bank.settle().await?;
        assert_eq!(history_of(&bank, &"a".repeat(100)).await?, [3], "{copy_comes_first}");
        bank.stop().await?;
    }
    Ok(())
}
