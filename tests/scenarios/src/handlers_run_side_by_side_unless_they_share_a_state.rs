use framework::prelude::*;
use framework::testing::TestApp;

use crate::bank::{Account, Audit, Deposit, deposit_of};
use crate::support::{Gate, in_time};

#[handler]
async fn first(cmd: Deposit, account: &mut Account, gate: &Gate) {
    gate.pass("first").await;
    account.history.push(cmd.cents);
}

#[handler]
async fn second(cmd: Deposit, account: &mut Account, gate: &Gate) {
    gate.pass("second").await;
    account.history.push(-cmd.cents);
}

#[handler]
async fn apart(cmd: Deposit, audit: &mut Audit, gate: &Gate) {
    gate.pass("apart").await;
    audit.balances.push(cmd.cents);
}

#[handler(order = none)]
async fn loose(_: Deposit, gate: &Gate) {
    gate.pass("loose").await;
}

#[tokio::test(start_paused = true)]
async fn components_run_side_by_side() -> anyhow::Result<()> {
    let gate = Gate::shut();
    let app = App::new("bank").provide(gate.clone()).handlers(handlers![first, apart]);
    let mut bank = TestApp::start(app).await?;
    bank.publish(deposit_of("a", 1)).await?;
    assert_eq!(gate.filled(2).await, ["apart", "first"]);
    gate.open();
    in_time(bank.settle()).await?;
    assert_eq!(bank.state::<Audit>("a").await?.unwrap().balances, [1]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn those_that_share_a_state_take_turns_in_the_apps_order() -> anyhow::Result<()> {
    let gate = Gate::shut();
    let app = App::new("bank").provide(gate.clone()).handlers(handlers![first, second]);
    let mut bank = TestApp::start(app).await?;
    bank.publish(deposit_of("a", 1)).await?;
    bank.publish(deposit_of("a", 2)).await?;
    let turns = ["first", "second", "first", "second"];
    for turn in 1..=turns.len() {
        assert_eq!(gate.entered(turn).await, turns[..turn]);
        gate.release(1);
    }
    in_time(bank.settle()).await?;
    assert_eq!(gate.most(), 1, "never two at a time");
    assert_eq!(bank.state::<Account>("a").await?.unwrap().history, [1, -1, 2, -2]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn without_an_order_messages_of_one_key_run_side_by_side() -> anyhow::Result<()> {
    let gate = Gate::shut();
    let app = App::new("bank").provide(gate.clone()).handlers(handlers![loose]);
    let mut bank = TestApp::start(app).await?;
    for cents in 0..3 {
        bank.publish(deposit_of("a", cents)).await?;
    }
    assert_eq!(gate.filled(3).await, ["loose"; 3]);
    gate.open();
    in_time(bank.settle()).await?;
    assert_eq!(bank.service().counts().handled().next(), Some(("loose", 3)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_held_up_stops_no_other() -> anyhow::Result<()> {
    let gate = Gate::shut();
    let app = App::new("bank").provide(gate.clone()).handlers(handlers![by_key]);
    let mut bank = TestApp::start(app).await?;
    for cents in 0..500 {
        bank.publish(deposit_of("hot", cents)).await?;
        bank.publish(deposit_of("cold", cents)).await?;
    }
    let cold = async || {
        let account = bank.state::<Account>("cold").await.unwrap();
        account.map_or(0, |account| account.history.len())
    };
    in_time(async {
        while cold().await < 500 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(gate.filled(1).await, ["hot"]);
    gate.open();
    in_time(bank.settle()).await?;
    assert!(bank.state::<Account>("hot").await?.unwrap().history.into_iter().eq(0..500));
    Ok(())
}

#[handler]
async fn by_key(cmd: Deposit, account: &mut Account, gate: &Gate) {
    if cmd.account == "hot" {
        gate.pass("hot").await;
    }
    account.history.push(cmd.cents);
}
