use framework::broker::memory::MemoryBroker;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;

use crate::bank::{Account, app, deposit_of};
use crate::support::{Trail, in_time};

/// Publishes deposits that nobody can fetch before the oldest of them are gone.
async fn publish_and_lose(bank: &TestApp, broker: &MemoryBroker, count: u64, lost: u64) {
    let sent = broker.published("deposits");
    let copies: Vec<_> = (0..count).map(|_| sent[0].clone()).collect();
    let there = sent.len() as u64;
    for copy in copies {
        broker.publish_again("deposits", copy);
    }
    broker.lose("deposits", there + lost);
    assert_eq!(bank.service().counts().lost(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_while_the_service_runs_is_reported_once_and_passed() -> anyhow::Result<()> {
    let (trail, _recording) = Trail::record();
    let (broker, store) = (MemoryBroker::new(1), MemoryStore::new(1));
    let mut bank = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
    bank.publish(deposit_of("ada", 5)).await?;
    in_time(bank.settle()).await?;
    publish_and_lose(&bank, &broker, 7, 4).await;
    in_time(bank.settle()).await?;
    assert_eq!(bank.service().counts().lost(), 4);
    assert_eq!(bank.service().counts().fetched(), 5, "two before, and those that are left");
    assert_eq!(bank.service().status().await?.running.map(|running| running.lost), Some(4));
    let text = trail.text();
    let line = text.lines().find(|line| line.contains("has lost records")).expect("a line");
    for figure in ["ERROR", "topic=\"deposits\"", "partition=0", "first=1", "last=4", "records=4"] {
        assert!(line.contains(figure), "{line}");
    }
    drop(bank);

    // The cursor has gone on: nothing is lost a second time.
    let mut bank = TestApp::start_on(app(), broker.clone(), store).await?;
    bank.publish(deposit_of("ada", 6)).await?;
    in_time(bank.settle()).await?;
    assert_eq!(bank.service().counts().lost(), 0);
    assert_eq!(bank.service().counts().fetched(), 2);
    let account = bank.state::<Account>("ada").await?.expect("an account");
    assert_eq!(account.balance, 11);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_while_the_service_was_away_is_reported_too() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::new(1), MemoryStore::new(1));
    let mut bank = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
    bank.publish(deposit_of("ada", 5)).await?;
    in_time(bank.settle()).await?;
    bank.stop().await?;
    let copy = broker.published("deposits").remove(0);
    (0..3).for_each(|_| broker.publish_again("deposits", copy.clone()));
    broker.lose("deposits", 3);
    for lost in [2, 0] {
        let mut bank = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
        in_time(bank.settle()).await?;
        while bank.service().counts().lost() < lost {
            tokio::task::yield_now().await;
        }
        bank.publish(deposit_of("ada", 1)).await?;
        in_time(bank.settle()).await?;
        assert_eq!(bank.service().counts().lost(), lost);
        bank.stop().await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_made_anew_is_reported_and_read_from_its_beginning() -> anyhow::Result<()> {
    let (trail, _recording) = Trail::record();
    let (broker, store) = (MemoryBroker::new(2), MemoryStore::new(1));
    let mut bank = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
    bank.publish(deposit_of("ada", 5)).await?;
    in_time(bank.settle()).await?;
    broker.make_anew("deposits");
    for amount in [6, 7] {
        bank.publish(deposit_of("ada", amount)).await?;
        in_time(bank.settle()).await?;
    }
    assert!(trail.text().contains("a partition was made anew"), "{}", trail.text());
    bank.stop().await?;
    let mut bank = TestApp::start_on(app(), broker, store).await?;
    in_time(bank.settle()).await?;
    let account = bank.state::<Account>("ada").await?.expect("an account");
    assert_eq!(account.balance, 18);
    Ok(())
}
