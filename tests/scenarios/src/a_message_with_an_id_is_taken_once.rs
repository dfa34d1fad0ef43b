use std::time::Duration;

use framework::broker::memory::MemoryBroker;
use framework::prelude::*;
use framework::store::memory::{Fault, MemoryStore};
use framework::testing::TestApp;
use framework::{Accepted, Config, IntakeError, Limits, Running};

use crate::bank::{Account, app, deposit_of};
use crate::support::in_time;

#[tokio::test(start_paused = true)]
async fn the_first_call_counts_also_after_a_restart() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
    let bank = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
    let producer = bank.service().producer();
    let both = (
        producer.send_once("http", "k1", deposit_of("a", 1)),
        producer.send_once("http", "k1", deposit_of("a", 1)),
    );
    let (first, second) = in_time(futures::future::join(both.0, both.1)).await;
    assert_eq!((first?, second?), (Accepted::New, Accepted::Already));
    drop(bank);

    let mut bank = TestApp::start_on(app(), broker, store.clone()).await?;
    let producer = bank.service().producer();
    // Whether the commit happened is not known for a moment.
    store.inject([Fault::UnknownCommitted]);
    for (source, id, cents, expected) in [
        ("http", "k2", 2, Accepted::New),
        ("http", "k1", 1, Accepted::Already),
        ("http", "k2", 2, Accepted::Already),
        ("post", "k1", 3, Accepted::New),
    ] {
        let sent = producer.send_once(source, id, deposit_of("a", cents)).await?;
        assert_eq!(sent, expected, "{source} {id}");
    }
    in_time(bank.settle()).await?;
    assert_eq!(bank.state::<Account>("a").await?.unwrap().history, [1, 2, 3]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn another_message_under_the_id_is_refused_and_named() -> anyhow::Result<()> {
    let mut bank = TestApp::start(app()).await?;
    let producer = bank.service().producer();
    producer.send_once("http", "k1", deposit_of("a", 1)).await?;
    let other = producer.send_once("http", "k1", deposit_of("a", 2)).await.unwrap_err();
    assert!(matches!(&other, IntakeError::Differs { id, .. } if id == "k1"), "{other}");
    // A trace that differs from call to call does not make it another one.
    let traced = Outgoing::new(deposit_of("a", 1)).header("traceparent", "00-7");
    assert_eq!(producer.send_once("http", "k1", traced).await?, Accepted::Already);
    let long = producer.send_once("http", &"i".repeat(401), deposit_of("a", 1)).await;
    assert!(matches!(long, Err(IntakeError::Id { bytes: 401, max: 400 })), "{long:?}");
    in_time(bank.settle()).await?;
    assert_eq!(bank.state::<Account>("a").await?.unwrap().history, [1]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_id_is_remembered_for_its_time_and_only_so_many_are() -> anyhow::Result<()> {
    let age = Duration::from_secs(60);
    let limits = Limits { ids_age_max: age, ids_max: 2, ..Limits::default() };
    let mut bank = TestApp::start_within(app(), limits).await?;
    let producer = bank.service().producer();
    for id in ["k1", "k2"] {
        assert_eq!(producer.send_once("http", id, deposit_of("a", 1)).await?, Accepted::New);
    }
    let full = producer.send_once("http", "k3", deposit_of("a", 1)).await.unwrap_err();
    assert!(matches!(full, IntakeError::Ids { max: 2 }), "{full}");
    assert!(full.to_string().contains("limits.ids_max"), "{full}");
    bank.advance(age - Duration::from_millis(1)).await?;
    assert_eq!(producer.send_once("http", "k1", deposit_of("a", 1)).await?, Accepted::Already);
    bank.advance(Duration::from_millis(1)).await?;
    assert_eq!(producer.send_once("http", "k3", deposit_of("a", 1)).await?, Accepted::New);
    assert_eq!(producer.send_once("http", "k1", deposit_of("a", 1)).await?, Accepted::New);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_wrong_for_a_while_makes_no_id_forgotten() -> anyhow::Result<()> {
    let day = Duration::from_secs(25 * 3_600);
    let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
    let mut bank = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
    let producer = bank.service().producer();
    assert_eq!(producer.send_once("http", "k1", deposit_of("a", 1)).await?, Accepted::New);
    bank.set_clock_forward(day);
    assert_eq!(producer.send_once("http", "k2", deposit_of("a", 2)).await?, Accepted::New);
    bank.advance(Duration::from_secs(3_600)).await?;
    assert_eq!(producer.send_once("http", "k1", deposit_of("a", 1)).await?, Accepted::Already);
    bank.set_clock_back(day);
    assert_eq!(producer.send_once("http", "k1", deposit_of("a", 1)).await?, Accepted::Already);
    bank.set_clock_back(day);
    assert_eq!(producer.send_once("http", "k3", deposit_of("a", 3)).await?, Accepted::New);
    bank.set_clock_forward(day);
    drop(bank);

    // Started with a clock that is ahead, and put right soon.
    let mut bank = TestApp::start_on(app(), broker, store).await?;
    bank.set_clock_forward(day);
    let producer = bank.service().producer();
    for (id, cents) in [("k1", 1), ("k2", 2), ("k3", 3)] {
        let sent = producer.send_once("http", id, deposit_of("a", cents)).await?;
        assert_eq!(sent, Accepted::Already, "{id}");
    }
    bank.advance(Duration::from_secs(500)).await?;
    bank.set_clock_back(day);
    for _ in 0..2 {
        for (id, cents) in [("k1", 1), ("k2", 2), ("k3", 3)] {
            let sent = producer.send_once("http", id, deposit_of("a", cents)).await?;
            assert_eq!(sent, Accepted::Already, "{id}");
        }
        bank.advance(Duration::from_secs(1_000)).await?;
    }
    // Ahead again, for as long as it likes: the time of day was known before.
    bank.set_clock_forward(day);
    bank.advance(Duration::from_secs(3_600)).await?;
    assert_eq!(producer.send_once("http", "k1", deposit_of("a", 1)).await?, Accepted::Already);
    bank.set_clock_back(day);
    bank.advance(day - Duration::from_secs(9_000)).await?;
    assert_eq!(producer.send_once("http", "k1", deposit_of("a", 1)).await?, Accepted::New);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_disk_too_beyond_a_checkpoint() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let mut config = Config::from(home.path());
    // The smallest: what is sent here fills several.
    config.store.embedded.segment_bytes = 1 << 16;
    let id = |n: i64| format!("id-{n}");
    for (from, expected) in [(0, Accepted::New), (0, Accepted::Already), (500, Accepted::New)] {
        let running = Running::start(config.clone(), [app()]).await?;
        let producer = running.services()[0].producer();
        let sends =
            (from..from + 500).map(|n| producer.send_once("http", &id(n), deposit_of("a", n)));
        for sent in futures::future::join_all(sends).await {
            assert_eq!(sent?, expected);
        }
        running.settle().await?;
        running.stop().await?;
    }
    Ok(())
}
