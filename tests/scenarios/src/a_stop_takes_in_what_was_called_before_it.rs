use std::time::Duration;

use framework::broker::memory::MemoryBroker;
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;
use framework::{Config, IntakeError, Running, ServiceHandle};
use futures::future::join_all;

use crate::bank::{app, deposit_of};
use crate::support::in_time;

fn is_ended(result: Result<(), IntakeError>) -> bool {
    matches!(result, Err(IntakeError::Ended))
}

/// How many deposits the service has ever given a position.
async fn deposits(service: &ServiceHandle) -> anyhow::Result<u64> {
    let sent = service.sent().await?;
    Ok(sent.iter().filter(|(topic, _)| &**topic == "deposits").map(|(_, count)| count).sum())
}

#[tokio::test(start_paused = true)]
async fn sends_whose_futures_were_dropped_are_durable_when_it_returns() -> anyhow::Result<()> {
    for count in [1, 1_000, 65_536] {
        let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
        let bank = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
        let producer = bank.service().producer();
        (0..count).for_each(|n| drop(producer.send(deposit_of(&n.to_string(), n))));
        in_time(bank.stop()).await?;
        assert!(is_ended(producer.send(deposit_of("a", 0)).await));

        let bank = TestApp::start_on(app(), broker, store).await?;
        assert_eq!(deposits(bank.service()).await?, count as u64);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whoever_still_waits_is_told_that_it_is_durable() -> anyhow::Result<()> {
    let bank = TestApp::start(app()).await?;
    let (service, producer) = (bank.service().handle(), bank.service().producer());
    let before: Vec<_> =
        (0..10_000).map(|n| producer.send(deposit_of(&n.to_string(), n))).collect();
    let (stopped, told) = in_time(futures::future::join(bank.stop(), join_all(before))).await;
    stopped?;
    assert!(told.into_iter().all(|told| told.is_ok()));
    assert!(!service.ready().is_ready());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn none_is_lost_on_disk_and_none_is_taken_in_behind_the_stop() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let running = Running::start(home.path(), [app()]).await?;
    let handle = running.handle("bank").unwrap();
    let producer = handle.producer();
    (0..5_000).for_each(|n| drop(producer.send(deposit_of(&n.to_string(), n))));
    let stop = running.stop();
    // Not begun before it is polled: these are before it too.
    drop(producer.send(deposit_of("a", 5_000)));
    stop.await?;
    assert!(is_ended(producer.send(deposit_of("a", -1)).await));

    let again = Running::start(home.path(), [app()]).await?;
    assert_eq!(deposits(&again.services()[0]).await?, 5_001);
    Ok(again.stop().await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_time_to_drain_whoever_waits_is_told_what_became_of_it() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let config = Config { drain: Duration::ZERO, ..Config::from(home.path()) };
    let running = Running::start(config.clone(), [app()]).await?;
    let producer = running.services()[0].producer();
    let sends: Vec<_> = (0..20_000).map(|n| producer.send(deposit_of(&n.to_string(), n))).collect();
    running.stop().await?;
    let told = join_all(sends).await;
    let durable = told.iter().filter(|told| told.is_ok()).count() as u64;

    let again = Running::start(config, [app()]).await?;
    let there = deposits(&again.services()[0]).await?;
    // One that is durable may not have been told, never the other way round.
    assert!(there >= durable, "{there} are there, {durable} were told so");
    Ok(again.stop().await?)
}
