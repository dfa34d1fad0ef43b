use framework::broker::memory::MemoryBroker;
use framework::prelude::*;
use framework::status::Reason;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;
use framework::{Limits, Running};

use crate::support::in_time;

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "hits", key = key)]
struct Hit {
    key: u64,
}

#[handler]
async fn hit(_: Hit) {}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "hits", key = key)]
struct Odd {
    key: u64,
}

fn counted(service: &framework::Service) -> u64 {
    service.counts().handled().map(|(_, count)| count).sum()
}

/// Consumers that are gone, and services at a limit, each with what waits for it.
type Named = (Vec<(String, u64)>, Vec<(String, Reason, u64)>);

fn names(error: &RunError) -> Named {
    let RunError::Unsettled(unsettled) = error else { panic!("{error}") };
    let gone = unsettled.gone.iter().map(|(name, count)| (name.to_string(), *count)).collect();
    let full = unsettled.full.iter();
    (gone, full.map(|(name, why, count)| (name.to_string(), why.clone(), *count)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_that_were_called_and_dropped_are_waited_for() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let app = App::new("svc").handlers(handlers![hit]);
    let running = Running::start(home.path(), [app]).await?;
    let producer = running.services()[0].producer();
    for round in 1..=5 {
        for key in 0..1_000 {
            drop(producer.send(Hit { key }));
        }
        running.settle().await?;
        assert_eq!(counted(&running.services()[0]), round * 1_000);
    }
    Ok(running.stop().await?)
}

#[tokio::test(start_paused = true)]
async fn so_are_they_in_a_test_app() -> anyhow::Result<()> {
    let mut app = TestApp::start(App::new("svc").handlers(handlers![hit])).await?;
    for key in 0..1_000 {
        drop(app.service().producer().send(Hit { key }));
    }
    in_time(app.settle()).await?;
    assert_eq!(counted(app.service()), 1_000);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_does_not_run_here_is_named_and_can_be_forgotten() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let one = || App::new("one").handlers(handlers![hit]);
    Running::start(home.path(), [App::new("sender"), one()]).await?.stop().await?;
    let here = App::new("here").handlers(handlers![hit]);
    let running = Running::start(home.path(), [App::new("sender"), here]).await?;
    let producer = running.services()[0].producer();
    for key in 0..3 {
        producer.send(Hit { key }).await?;
    }
    let error = running.settle().await.unwrap_err();
    assert_eq!(names(&error), (vec![("one".to_owned(), 3)], vec![]));
    assert!(
        error.to_string().contains("3 messages wait for \"one\", which does not run"),
        "{error}"
    );
    assert_eq!(counted(&running.services()[1]), 3, "what runs here is settled then");

    let runs = running.forget_consumer("here").await.unwrap_err();
    assert!(runs.to_string().contains("runs: stop that service"), "{runs}");
    assert!(running.forget_consumer("nobody").await.is_err());
    assert_eq!(running.forget_consumer("one").await?, 3);
    running.settle().await?;
    drop(producer);
    running.stop().await?;
    let running = Running::start(home.path(), [App::new("sender")]).await?;
    running.services()[0].producer().send(Hit { key: 9 }).await?;
    let error = running.settle().await.unwrap_err();
    assert_eq!(names(&error).0, [("here".to_owned(), 1)], "it stays forgotten");
    Ok(running.stop().await?)
}

#[tokio::test(start_paused = true)]
async fn an_app_that_was_stopped_is_named() -> anyhow::Result<()> {
    let broker = MemoryBroker::default();
    let bank = App::new("bank").handlers(handlers![hit]);
    TestApp::start_on(bank, broker.clone(), MemoryStore::new(1)).await?.stop().await?;
    let mut web = TestApp::start_on(App::new("web"), broker, MemoryStore::new(2)).await?;
    web.publish(Hit { key: 1 }).await?;
    let error = in_time(web.settle()).await.unwrap_err();
    assert_eq!(names(&error).0, [("bank".to_owned(), 1)]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_service_at_a_limit_is_named() -> anyhow::Result<()> {
    let limits = Limits { unhandled_max: 2, fetch_max: 1, in_flight_max: 1, ..Limits::default() };
    let mut app = TestApp::start_within(App::new("svc").handlers(handlers![hit]), limits).await?;
    app.publish(Odd { key: 0 }).await?;
    app.publish(Odd { key: 0 }).await?;
    in_time(app.settle()).await?;
    app.publish(Hit { key: 0 }).await?;
    let error = in_time(app.settle()).await.unwrap_err();
    assert_eq!(names(&error).1, [("svc".to_owned(), Reason::UnhandledFull, 1)]);
    app.dead_letters().unhandled().discard(framework::dead_letters::Filter::new()).await?;
    in_time(app.settle()).await?;
    assert_eq!(counted(app.service()), 1);
    Ok(())
}
