use framework::broker::memory::MemoryBroker;
use framework::prelude::*;
use framework::store::memory::{Fault, MemoryStore};
use framework::testing::TestApp;
use framework::{Accepted, IntakeError, Producer, Sent};
use futures::stream;

use crate::bank::{Account, app, deposit_of};
use crate::support::in_time;

async fn history(bank: &mut TestApp) -> anyhow::Result<Vec<i64>> {
    in_time(bank.settle()).await?;
    Ok(bank.state::<Account>("a").await?.unwrap().history)
}

#[tokio::test(start_paused = true)]
async fn a_number_counts_once_and_gaps_are_free() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
    let mut bank = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
    let producer = bank.service().producer();
    assert_eq!(producer.sent_from("file").await?, 0);
    for (number, accepted) in
        [(0, Accepted::New), (0, Accepted::Already), (7, Accepted::New), (3, Accepted::Skipped)]
    {
        let sent = producer.send_from("file", number, deposit_of("a", number as i64)).await?;
        assert_eq!(sent, accepted, "number {number}");
    }
    assert_eq!(producer.sent_from("file").await?, 8);
    assert_eq!(history(&mut bank).await?, [0, 7]);
    bank.stop().await?;

    let mut bank = TestApp::start_on(app(), broker, store).await?;
    let producer = bank.service().producer();
    assert_eq!(producer.sent_from("file").await?, 8, "it is as durable as the messages");
    let again = producer.send_from("file", 7, deposit_of("a", 7)).await?;
    assert_eq!(again, Accepted::Already);
    assert_eq!(producer.send_from("upload", 7, deposit_of("a", 9)).await?, Accepted::New);
    assert_eq!(history(&mut bank).await?, [0, 7, 9]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn messages_take_their_places_when_called_not_when_polled() -> anyhow::Result<()> {
    let mut bank = TestApp::start(app()).await?;
    let producer = bank.service().producer();
    let mut sends: Vec<_> =
        (0..10).map(|n| producer.send_from("file", n, deposit_of("a", n as i64))).collect();
    // One is never polled at all.
    drop(sends.remove(4));
    for send in sends.into_iter().rev() {
        assert_eq!(in_time(send).await?, Accepted::New);
    }
    assert_eq!(history(&mut bank).await?, (0..10).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_where_it_was() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
    let line = |n: u64| (n, deposit_of(&format!("a{}", n % 50), n as i64));
    let lines = |count: u64| stream::iter((0..count).map(line));
    let bank = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
    let sent = in_time(bank.service().producer().send_all_from("file", lines(1_000))).await?;
    assert_eq!(sent, Sent { new: 1_000, ..Sent::default() });
    drop(bank);
    let mut bank = TestApp::start_on(app(), broker, store).await?;
    let sent = in_time(bank.service().producer().send_all_from("file", lines(6_000))).await?;
    assert_eq!(sent, Sent { new: 5_000, already: 1_000, skipped: 0 });
    in_time(bank.settle()).await?;
    for rest in 0..50 {
        let account = bank.state::<Account>(&format!("a{rest}")).await?.unwrap();
        assert!(account.history.into_iter().eq((rest..6_000).step_by(50)));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn when_all_places_are_taken_one_is_refused_and_a_stream_waits() -> anyhow::Result<()> {
    let sender = TestApp::start(App::new("sender").handlers(Handlers::new())).await?;
    let producer = sender.service().producer();
    // Nothing else runs meanwhile: the calls take places only.
    let sends: Vec<_> = (0..65_536).map(|n| producer.send(deposit_of("a", n))).collect();
    let refused = in_time(producer.send(deposit_of("a", -1))).await;
    assert!(matches!(refused, Err(IntakeError::Busy { max: 65_536 })), "{refused:?}");
    let lines = stream::iter((0..600).map(|n| (n, deposit_of("b", n as i64))));
    let sent = in_time(producer.send_all_from("file", lines)).await?;
    assert_eq!(sent, Sent { new: 600, ..Sent::default() });
    for send in sends {
        in_time(send).await?;
    }
    assert_eq!(sender.service().sent().await?, [("deposits".into(), 65_536 + 600)]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_is_told_when_the_service_ends() -> anyhow::Result<()> {
    let ended = |result| matches!(result, Err(IntakeError::Ended));
    let send = |producer: &Producer| producer.send(deposit_of("a", 1));

    let bank = TestApp::start(app()).await?;
    let producer = bank.service().producer();
    let waiting = send(&producer);
    drop(bank);
    assert!(ended(in_time(waiting).await), "dropped");
    assert!(ended(in_time(send(&producer)).await), "after a crash");

    let bank = TestApp::start(app()).await?;
    let producer = bank.service().producer();
    bank.stop().await?;
    assert!(ended(in_time(send(&producer)).await), "after a stop");

    let mut bank = TestApp::start(app()).await?;
    let producer = bank.service().producer();
    bank.store().inject([Fault::Failed]);
    assert!(ended(in_time(send(&producer)).await), "as it fails");
    crate::support::failure(&mut bank).await;
    assert!(ended(in_time(send(&producer)).await), "after a failure");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_schedules_source_is_its_own() -> anyhow::Result<()> {
    let bank = TestApp::start(app()).await?;
    let refused = bank.service().producer().send_from("every/night", 1, deposit_of("a", 1)).await;
    assert!(matches!(refused, Err(IntakeError::Reserved { .. })), "{refused:?}");
    Ok(())
}
