use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use framework::How;
use framework::dead_letters::Filter;
use framework::delivery::Delivery;
use framework::error::BoxError;
use framework::outcome::Outcome;
use framework::prelude::*;
use framework::testing::TestApp;
use tokio::sync::Semaphore;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

use crate::support::{Gate, in_time};

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "charges", key = order)]
struct Charge {
    order: u64,
}

#[handler(timeout = "1s", retry(attempts = 3, min = "100ms", max = "1s"))]
async fn charge(_: Charge) {
    // A while of paused time.
    let never = std::future::pending::<()>();
    let _ = tokio::time::timeout(Duration::from_millis(100), never).await;
}

/// Handles 100 messages, of which each takes a tenth of its time, one after the other or a few at a
/// time.
async fn all_are_handled(handlers: Handlers) -> anyhow::Result<()> {
    let mut app = TestApp::start(App::new("billing").handlers(handlers)).await?;
    for order in 0..100 {
        app.publish(Charge { order }).await?;
    }
    in_time(app.settle()).await?;
    let counts = app.service().counts();
    assert_eq!(counts.dead().next(), Some(("charge", 0)));
    assert_eq!(counts.retried().next(), Some(("charge", 0)));
    assert_eq!(counts.handled().next(), Some(("charge", 100)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn for_a_permit() -> anyhow::Result<()> {
    all_are_handled(handlers![charge].layer(GlobalConcurrencyLimitLayer::new(2))).await
}

#[tokio::test(start_paused = true)]
async fn for_its_turn_behind_a_buffer_and_a_rate_limit() -> anyhow::Result<()> {
    let layers = ServiceBuilder::new().buffer(8).rate_limit(5, Duration::from_secs(1));
    all_are_handled(handlers![charge].layer(layers.into_inner())).await
}

#[tokio::test(start_paused = true)]
async fn for_a_permit_behind_a_buffer() -> anyhow::Result<()> {
    let layers = ServiceBuilder::new().buffer(8).concurrency_limit(1);
    all_are_handled(handlers![charge].layer(layers.into_inner())).await
}

/// A layer that waits in its call, and runs what is inside in a task of its own.
#[derive(Clone)]
struct Apart(Arc<Semaphore>);

#[derive(Clone)]
struct RunsApart<S>(Apart, S);

impl<S> Layer<S> for Apart {
    type Service = RunsApart<S>;

    fn layer(&self, inner: S) -> RunsApart<S> {
        RunsApart(self.clone(), inner)
    }
}

impl<S> Service<Delivery> for RunsApart<S>
where
    S: Service<Delivery, Response = Outcome, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Outcome;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Outcome, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        let (permits, inner) = (Arc::clone(&self.0.0), self.1.clone());
        Box::pin(async move {
            let permit = permits.acquire_owned().await?;
            let ended = tokio::spawn(inner.oneshot(delivery)).await?;
            drop(permit);
            ended
        })
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_call_that_runs_the_handler_elsewhere() -> anyhow::Result<()> {
    all_are_handled(handlers![charge].layer(Apart(Arc::new(Semaphore::new(1))))).await
}

#[handler(timeout = "1s", retry(attempts = 1))]
async fn gated(_: Charge, gate: &Gate) {
    gate.pass("gated").await;
}

#[tokio::test(start_paused = true)]
async fn and_its_own_time_is_still_held_against_it() -> anyhow::Result<()> {
    for layers in [
        handlers![gated].layer(GlobalConcurrencyLimitLayer::new(1)),
        handlers![gated].layer(Apart(Arc::new(Semaphore::new(1)))),
    ] {
        let app = App::new("billing").provide(Gate::shut()).handlers(layers);
        let mut app = TestApp::start(app).await?;
        app.publish(Charge { order: 1 }).await?;
        in_time(app.settle()).await?;
        let letters = app.dead_letters().list(&Filter::new()).await?.items;
        assert_eq!(letters[0].how, Some(How::TimedOut), "{letters:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nor_is_it_waited_for_longer_than_a_stop_takes() -> anyhow::Result<()> {
    let nobody = GlobalConcurrencyLimitLayer::with_semaphore(Arc::new(Semaphore::new(0)));
    let app = App::new("billing").handlers(handlers![charge].layer(nobody));
    let app = TestApp::start(app).await?;
    app.publish(Charge { order: 1 }).await?;
    in_time(app.stop()).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn and_a_layer_that_answers_by_itself_fails_the_attempt() -> anyhow::Result<()> {
    // One runs, the others are shed, and come again.
    let layers = ServiceBuilder::new().load_shed();
    let layers = layers.layer(GlobalConcurrencyLimitLayer::new(1)).into_inner();
    let app = App::new("billing").handlers(handlers![charge].layer(layers));
    let mut app = TestApp::start(app).await?;
    for order in 0..2 {
        app.publish(Charge { order }).await?;
    }
    in_time(app.settle()).await?;
    let counts = app.service().counts();
    assert_eq!(counts.handled().next(), Some(("charge", 2)));
    assert_eq!(counts.retried().next(), Some(("charge", 1)));
    Ok(())
}
