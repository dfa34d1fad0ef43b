use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use framework::How;
use framework::dead_letters::Filter;
use framework::delivery::Delivery;
use framework::prelude::*;
use framework::testing::TestApp;
use tower::limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer};
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service};

use crate::bank::{Deposit, deposit_of};
use crate::support::{Gate, in_time};

/// A hand-written layer: notes each delivery that passes.
#[derive(Clone)]
struct Notes(&'static str, Arc<Mutex<Vec<String>>>);

#[derive(Clone)]
struct Noting<S> {
    notes: Notes,
    /// How many this instance of the service was cloned from have passed.
    passed: Arc<Mutex<usize>>,
    inner: S,
}

impl<S> Layer<S> for Notes {
    type Service = Noting<S>;

    fn layer(&self, inner: S) -> Noting<S> {
        Noting { notes: self.clone(), passed: Arc::default(), inner }
    }
}

impl<S: Service<Delivery>> Service<Delivery> for Noting<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, delivery: Delivery) -> S::Future {
        *self.passed.lock().unwrap() += 1;
        let (passed, handler) = (self.passed.lock().unwrap(), delivery.handler());
        self.notes.1.lock().unwrap().push(format!("{} {handler} {passed}", self.notes.0));
        drop(passed);
        self.inner.call(delivery)
    }
}

#[handler]
async fn one(_: Deposit) {}

#[handler]
async fn two(_: Deposit) {}

#[handler(order = none)]
async fn gated(_: Deposit, gate: &Gate) {
    gate.pass("gated").await;
}

#[handler(order = none)]
async fn other(_: Deposit, gate: &Gate) {
    gate.pass("other").await;
}

#[tokio::test(start_paused = true)]
async fn the_first_added_is_the_outermost_and_each_handler_has_its_own() -> anyhow::Result<()> {
    let all = Arc::default();
    let notes = |name| Notes(name, Arc::clone(&all));
    let group = handlers![one.layer(notes("own 1")).layer(notes("own 2")), two]
        .layer(notes("group 1"))
        .layer(notes("group 2"));
    let app = App::new("bank").layer(notes("app 1")).handlers(group).layer(notes("app 2"));
    let mut bank = TestApp::start(app).await?;
    bank.publish(deposit_of("a", 1)).await?;
    in_time(bank.settle()).await?;
    let of_one = ["app 1", "app 2", "group 1", "group 2", "own 1", "own 2"];
    let expected = of_one.map(|layer| format!("{layer} one 1")).into_iter();
    let expected = expected.chain(of_one[..4].iter().map(|layer| format!("{layer} two 1")));
    assert!(all.lock().unwrap().iter().cloned().eq(expected), "{all:?}");
    bank.publish(deposit_of("a", 1)).await?;
    in_time(bank.settle()).await?;
    assert!(all.lock().unwrap().contains(&"app 1 one 2".into()), "an instance is kept");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_timeout_ends_an_attempt_with_its_error() -> anyhow::Result<()> {
    let gate = Gate::shut();
    let timeout = TimeoutLayer::new(Duration::from_secs(5));
    let app = App::new("bank").provide(gate).handlers(handlers![gated.layer(timeout)]);
    let mut bank = TestApp::start(app).await?;
    bank.publish(deposit_of("a", 1)).await?;
    in_time(bank.settle()).await?;
    let dead = bank.dead_letters().list(&Filter::new()).await?.items;
    assert_eq!((&*dead[0].handler, dead[0].how), ("gated", Some(How::Failed)));
    assert!(dead[0].error.contains("request timed out"), "{dead:?}");
    Ok(())
}

/// How many of six deliveries, three of each handler, get inside at a time.
async fn most_inside(limited: impl FnOnce(Handlers) -> Handlers) -> anyhow::Result<usize> {
    let gate = Gate::shut();
    let app = App::new("bank").provide(gate.clone()).handlers(limited(handlers![gated, other]));
    let mut bank = TestApp::start(app).await?;
    for cents in 0..3 {
        bank.publish(deposit_of("a", cents)).await?;
    }
    for entered in 1..=6 {
        gate.entered(entered).await;
        gate.release(1);
    }
    in_time(bank.settle()).await?;
    Ok(gate.most())
}

#[tokio::test(start_paused = true)]
async fn limits_hold_for_each_handler_or_for_all() -> anyhow::Result<()> {
    let each = most_inside(|all| all.layer(ConcurrencyLimitLayer::new(1))).await?;
    assert_eq!(each, 2, "one of each handler");
    let global = most_inside(|all| all.layer(GlobalConcurrencyLimitLayer::new(1))).await?;
    assert_eq!(global, 1, "one of all");
    Ok(())
}
