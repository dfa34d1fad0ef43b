use framework::broker::memory::MemoryBroker;
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;

use crate::bank::{Account, Audit, Deposit, Deposited, audit, deposit, deposit_of};
use crate::support::{Gate, in_time, until};

#[derive(Default, State, Serialize, Deserialize)]
#[state(name = "konto")]
struct Konto {
    balance: i64,
    history: Vec<i64>,
}

#[handler(name = "deposit")]
async fn deposit_konto(cmd: Deposit, konto: &mut Konto) {
    konto.balance += cmd.cents;
    konto.history.push(cmd.cents);
}

#[handler]
async fn held(cmd: Deposit, audit: &mut Audit, gate: &Gate) {
    gate.pass("held").await;
    audit.balances.push(cmd.cents);
}

#[handler]
async fn freed(cmd: Deposit, audit: &mut Audit) {
    audit.balances.push(cmd.cents);
}

#[handler]
async fn newer(cmd: Deposit, audit: &mut Audit) {
    audit.balances.push(-cmd.cents);
}

/// A bank whose deposit `a` is handled by `deposit`, and not yet by `held`.
async fn half_done() -> anyhow::Result<(MemoryBroker, MemoryStore)> {
    let (broker, store, gate) = (MemoryBroker::default(), MemoryStore::new(1), Gate::shut());
    let app = App::new("bank").provide(gate).handlers(handlers![deposit, held]);
    let bank = TestApp::start_on(app, broker.clone(), store.clone()).await?;
    bank.publish(deposit_of("a", 5)).await?;
    until(|| bank.service().counts().handled().any(|count| count == ("deposit", 1))).await;
    Ok((broker, store))
}

async fn refused(app: App, on: &(MemoryBroker, MemoryStore), named: &[&str]) {
    let started = TestApp::start_on(app, on.0.clone(), on.1.clone()).await;
    let Err(RunError::Start(error)) = started else { panic!("it starts") };
    let said = error.to_string();
    for part in named {
        assert!(said.contains(part), "{part:?} is missing in: {said}");
    }
}

async fn settled(app: App, on: &(MemoryBroker, MemoryStore)) -> anyhow::Result<TestApp> {
    let mut app = TestApp::start_on(app, on.0.clone(), on.1.clone()).await?;
    in_time(app.settle()).await?;
    Ok(app)
}

#[tokio::test(start_paused = true)]
async fn a_handler_with_unfinished_work() -> anyhow::Result<()> {
    let on = half_done().await?;
    let app = || App::new("bank").handlers(handlers![deposit, freed]);
    let remedies = ["\"held\"", ".renamed(\"held\", \"new name\")", ".retired(\"held\")"];
    refused(app(), &on, &remedies).await;
    // Renamed twice, as over two releases.
    let renamed = app().renamed("held", "between").renamed("between", "freed");
    let bank = settled(renamed, &on).await?;
    assert_eq!(bank.state::<Audit>("a").await?.unwrap().balances, [5], "the work goes over");
    assert_eq!(bank.state::<Account>("a").await?.unwrap().history, [5], "what is done stays");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_retired_handlers_work_is_given_up() -> anyhow::Result<()> {
    let on = half_done().await?;
    let app = App::new("bank").handlers(handlers![deposit, freed]).retired("held");
    let bank = settled(app, &on).await?;
    assert_eq!(bank.state::<Audit>("a").await?, None, "a new handler takes new messages only");
    bank.stop().await?;
    let bank = settled(App::new("bank").handlers(handlers![deposit, freed]), &on).await?;
    assert_eq!(bank.service().counts().handled().map(|(_, count)| count).sum::<u64>(), 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_state_and_a_type_that_nothing_takes() -> anyhow::Result<()> {
    let on = (MemoryBroker::default(), MemoryStore::new(1));
    let bank = settled(App::new("bank").handlers(handlers![deposit, audit]), &on).await?;
    bank.publish(deposit_of("a", 5)).await?;
    drop(bank);
    settled(App::new("bank").handlers(handlers![deposit, audit]), &on).await?.stop().await?;

    let app = || App::new("bank").handlers(handlers![deposit_konto]);
    refused(app(), &on, &["\"account\"", ".renamed_state(\"account\", \"new name\")"]).await;
    let app = || app().renamed_state("account", "konto");
    refused(app(), &on, &["\"audit\"", ".retired_state(\"audit\")"]).await;
    let app = || app().retired_state("audit");
    refused(app(), &on, &["Deposited", "deposited", ".retired_type(\"deposited\""]).await;
    let app = || app().retired_type("deposited", "Deposited");
    let mut bank = settled(app(), &on).await?;
    bank.publish(deposit_of("a", 6)).await?;
    in_time(bank.settle()).await?;
    assert_eq!(bank.state::<Konto>("a").await?.unwrap().history, [5, 6], "the values go over");
    assert_eq!(bank.published::<Deposited>()?.len(), 1);
    bank.stop().await?;
    settled(app(), &on).await?.stop().await?;
    settled(App::new("bank").handlers(handlers![deposit_konto]), &on).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_new_handler_takes_what_comes_after_it() -> anyhow::Result<()> {
    let on = (MemoryBroker::default(), MemoryStore::new(1));
    let bank = settled(App::new("bank").handlers(handlers![deposit]), &on).await?;
    bank.publish(deposit_of("a", 1)).await?;
    drop(bank);
    settled(App::new("bank").handlers(handlers![deposit]), &on).await?.stop().await?;
    let mut bank = settled(App::new("bank").handlers(handlers![newer, deposit]), &on).await?;
    bank.publish(deposit_of("a", 2)).await?;
    in_time(bank.settle()).await?;
    assert_eq!(bank.state::<Audit>("a").await?.unwrap().balances, [-2]);
    assert_eq!(bank.state::<Account>("a").await?.unwrap().history, [1, 2]);
    Ok(())
}
