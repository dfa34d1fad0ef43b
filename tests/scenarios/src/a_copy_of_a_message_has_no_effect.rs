use framework::broker::memory::MemoryBroker;
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;

use crate::bank::{Account, Deposit, app, deposit, deposit_of};
use crate::support::{Gate, in_time, until};

#[derive(Default, State, Serialize, Deserialize)]
struct Seen {
    cents: Vec<i64>,
}

#[handler]
async fn watched(cmd: Deposit, seen: &mut Seen, gate: &Gate) {
    gate.pass(cmd.account).await;
    seen.cents.push(cmd.cents);
}

#[tokio::test(start_paused = true)]
async fn after_it_was_handled() -> anyhow::Result<()> {
    let mut bank = TestApp::start(app()).await?;
    bank.publish(deposit_of("a", 5)).await?;
    in_time(bank.settle()).await?;
    for copy in bank.broker().published("deposits").into_iter().cycle().take(3) {
        bank.broker().publish_again("deposits", copy);
    }
    in_time(bank.settle()).await?;
    assert_eq!(bank.state::<Account>("a").await?.unwrap().history, [5]);
    assert_eq!(bank.service().counts().duplicates(), 3);
    assert_eq!(bank.service().counts().fetched(), 5, "one deposit, three copies, one confirmation");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn before_it_is_handled() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
    let copies = {
        // Another service sends it; nothing reads the topic yet.
        let sender = App::new("sender").handlers(Handlers::new());
        let sender = TestApp::start_on(sender, broker.clone(), MemoryStore::new(2)).await?;
        sender.publish(deposit_of("a", 5)).await?;
        until(|| !broker.published("deposits").is_empty()).await;
        broker.published("deposits")
    };
    copies.into_iter().for_each(|copy| broker.publish_again("deposits", copy));
    let mut bank = TestApp::start_on(app(), broker, store).await?;
    in_time(bank.settle()).await?;
    assert_eq!(bank.state::<Account>("a").await?.unwrap().history, [5]);
    assert_eq!(bank.service().counts().duplicates(), 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn while_it_is_handled() -> anyhow::Result<()> {
    let gate = Gate::shut();
    let app = App::new("bank").provide(gate.clone()).handlers(handlers![deposit, watched]);
    let mut bank = TestApp::start(app).await?;
    bank.publish(deposit_of("a", 5)).await?;
    gate.filled(1).await;
    let original = bank.broker().published("deposits");
    bank.broker().publish_again("deposits", original[0].clone());
    until(|| bank.service().counts().duplicates() == 1).await;
    // One of its handlers is done and durable, the other one is not: both records stay.
    until(|| bank.service().counts().handled().any(|(_, count)| count == 1)).await;
    assert_eq!(bank.broker().unsettled("bank", "deposits"), 2);

    gate.open();
    in_time(bank.settle()).await?;
    assert_eq!(bank.broker().unsettled("bank", "deposits"), 0);
    assert_eq!(bank.state::<Account>("a").await?.unwrap().history, [5]);
    assert_eq!(bank.state::<Seen>("a").await?.unwrap().cents, [5]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_in_the_middle() -> anyhow::Result<()> {
    let (broker, store, gate) = (MemoryBroker::new(1), MemoryStore::new(1), Gate::shut());
    let app =
        |gate: &Gate| App::new("bank").provide(gate.clone()).handlers(handlers![deposit, watched]);
    let bank = TestApp::start_on(app(&gate), broker.clone(), store.clone()).await?;
    bank.publish(deposit_of("a", 5)).await?;
    gate.filled(1).await;
    let original = broker.published("deposits");
    broker.publish_again("deposits", original[0].clone());
    until(|| bank.service().counts().duplicates() == 1).await;
    drop(bank);

    gate.open();
    let mut bank = TestApp::start_on(app(&gate), broker.clone(), store).await?;
    in_time(bank.settle()).await?;
    assert_eq!(broker.unsettled("bank", "deposits"), 0);
    assert_eq!(bank.state::<Account>("a").await?.unwrap().history, [5]);
    assert_eq!(bank.state::<Seen>("a").await?.unwrap().cents, [5]);
    Ok(())
}
