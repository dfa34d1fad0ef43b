use framework::broker::memory::MemoryBroker;
use framework::status::Reason;
use framework::store::memory::{Fault, MemoryStore};
use framework::testing::TestApp;
use framework::{IntakeError, OperatorError, ReadError, Running, ServiceHandle};
use futures::StreamExt;

use crate::bank::{Account, app, deposit_of};
use crate::support::in_time;

/// Every way in which a handle can be used says that its service has ended.
async fn says_ended(service: &ServiceHandle) {
    let sent = service.producer().send(deposit_of("a", 1)).await;
    assert!(matches!(sent, Err(IntakeError::Ended)), "{sent:?}");
    let numbered = service.producer().send_from("file", 1, deposit_of("a", 1)).await;
    assert!(matches!(numbered, Err(IntakeError::Ended)), "{numbered:?}");
    let next = service.producer().sent_from("file").await;
    assert!(matches!(next, Err(IntakeError::Ended)), "{next:?}");
    let state = service.state::<Account>("a").await;
    assert!(matches!(state, Err(ReadError::Ended)));
    let mut states = std::pin::pin!(service.states::<Account>());
    assert!(matches!(states.next().await, Some(Err(ReadError::Ended))));
    assert!(matches!(service.sent().await, Err(ReadError::Ended)));
    assert!(matches!(service.status().await, Err(OperatorError::Ended)));
    let letters = service.dead_letters().list(&Default::default()).await;
    assert!(matches!(letters, Err(OperatorError::Ended)));
    let replayed = service.dead_letters().replay([1]).await;
    assert!(matches!(replayed, Err(OperatorError::Ended)), "{replayed:?}");
    assert_eq!(service.ready().reasons, [Reason::Ended]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_closed_whoever_has_a_handle() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let mut held = Vec::new();
    for round in 1..=3 {
        let running = Running::start(home.path(), [app()]).await?;
        let service = running.handle("bank").unwrap();
        service.producer().send(deposit_of("a", round)).await?;
        running.settle().await?;
        assert_eq!(service.state::<Account>("a").await?.unwrap().history.len(), round as usize);
        held.push((service.clone(), service.producer(), service.dead_letters()));
        running.stop().await?;
        // `running` is still there, too.
        says_ended(&service).await;
    }
    for (service, ..) in &held {
        says_ended(service).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_waits_for_the_end_of_one_that_was_dropped() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    for round in 1..=5 {
        let running = Running::start(home.path(), [app()]).await?;
        running.service("bank").unwrap().producer().send(deposit_of("a", round)).await?;
        drop(running);
    }
    let running = Running::start(home.path(), [app()]).await?;
    running.settle().await?;
    let account = running.service("bank").unwrap().state::<Account>("a").await?;
    assert_eq!(account.unwrap().history, [1, 2, 3, 4, 5]);
    Ok(running.stop().await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_can_be_waited_for_by_several() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let running = Running::start(home.path(), [app()]).await?;
    let stopper = running.stopper();
    stopper.stop();
    running.ended().await?;
    let (one, other) = futures::join!(running.stop(), running.stop());
    one.and(other)?;
    running.stop().await?;
    stopper.requested().await;
    let again = Running::start(home.path(), [app()]).await?;
    Ok(again.stop().await?)
}

#[tokio::test(start_paused = true)]
async fn one_that_has_failed_is_closed_too_and_tells_everybody_why() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
    let bank = TestApp::start_on(app(), broker, store.clone()).await?;
    let service = bank.service().handle();
    store.inject([Fault::Failed]);
    drop(service.producer().send(deposit_of("a", 1)));
    for _ in 0..2 {
        let error = in_time(bank.service().ended()).await.unwrap_err();
        assert!(error.to_string().contains("injected failure"), "{error}");
    }
    says_ended(&service).await;
    Ok(())
}
