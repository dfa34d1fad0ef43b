use std::time::Duration;

use framework::Limits;
use framework::dead_letters::Filter;
use framework::prelude::*;
use framework::status::RunningStatus;
use framework::testing::TestApp;
use tower::limit::GlobalConcurrencyLimitLayer;

use crate::bank::{Deposit, deposit_of};
use crate::support::{Gate, in_time, pass};

const SECOND: Duration = Duration::from_secs(1);

#[handler]
async fn held(_: Deposit, gate: &Gate) {
    gate.pass("held").await;
}

async fn running(app: &TestApp) -> anyhow::Result<RunningStatus> {
    Ok(app.service().status().await?.running.unwrap())
}

#[tokio::test(start_paused = true)]
async fn deliveries_that_wait_in_a_layer_and_since_when() -> anyhow::Result<()> {
    let gate = Gate::shut();
    let one_at_a_time = handlers![held].layer(GlobalConcurrencyLimitLayer::new(1));
    let app = App::new("bank").provide(gate.clone()).handlers(one_at_a_time);
    let mut bank = TestApp::start(app).await?;
    let start_ms = bank.service().status().await?.at_ms;
    for key in ["a", "b", "c"] {
        bank.publish(deposit_of(key, 1)).await?;
    }
    gate.filled(1).await;
    pass(5 * SECOND).await;
    let waits = running(&bank).await?.in_layers.unwrap();
    assert_eq!((waits.waiting, waits.since_ms), (2, start_ms));
    assert!(bank.service().ready().is_ready());
    gate.open();
    in_time(bank.settle()).await?;
    assert_eq!(running(&bank).await?.in_layers, None);
    Ok(())
}

#[handler]
async fn refuse(cmd: Deposit, gate: &Gate) -> Result<()> {
    if cmd.cents < 0 {
        return Err(HandlerError::permanent("below zero"));
    }
    gate.pass("refuse").await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_released_backlog_that_is_worked_off() -> anyhow::Result<()> {
    let gate = Gate::shut();
    let app = App::new("bank").provide(gate.clone()).handlers(handlers![refuse]);
    let limits = Limits { followers_max: 0, ..Default::default() };
    let mut bank = TestApp::start_within(app, limits).await?;
    bank.publish(deposit_of("a", -1)).await?;
    in_time(bank.settle()).await?;
    for cents in 1..=5 {
        bank.publish(deposit_of("a", cents)).await?;
    }
    in_time(bank.settle()).await?;
    let kept = bank.service().status().await?.kept;
    assert_eq!((kept.held, kept.released), (5, 0));
    bank.dead_letters().discard(Filter::new()).await?;
    gate.filled(1).await;
    let kept = bank.service().status().await?.kept;
    assert_eq!((kept.held, kept.released), (5, 5));
    gate.open();
    in_time(bank.settle()).await?;
    assert_eq!(bank.service().status().await?.kept.released, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn messages_from_outside_that_wait_for_room() -> anyhow::Result<()> {
    let limits = Limits { timers_max: 1, ..Default::default() };
    let gate = Gate::shut();
    let app = App::new("bank").provide(gate.clone()).handlers(handlers![held]);
    let mut bank = TestApp::start_within(app, limits).await?;
    bank.publish(deposit_of("a", 1).delay(60 * SECOND)).await?;
    // Intake had looked for room before that was durable.
    bank.publish(deposit_of("a", 2)).await?;
    let start_ms = bank.service().status().await?.at_ms;
    let sends: Vec<_> =
        (0..3).map(|n| bank.service().producer().send(deposit_of("b", n))).collect();
    pass(SECOND).await;
    let intake = running(&bank).await?.intake.unwrap();
    assert_eq!((intake.waiting, intake.room_in.to_string().as_str()), (3, "the timers"));
    assert_eq!(intake.since_ms, start_ms);
    gate.open();
    in_time(futures::future::try_join_all(sends)).await?;
    in_time(bank.settle()).await?;
    assert_eq!(running(&bank).await?.intake, None);
    Ok(())
}
