//! Layers: their order on three levels, an instance for each handler, tower's own.

use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use tower::limit::{ConcurrencyLimitLayer, GlobalConcurrencyLimitLayer};
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service};

use super::*;

type Log = Arc<Mutex<Vec<String>>>;

/// Writes its name into a log, and that of the handler, on the way in.
#[derive(Clone)]
struct Named(&'static str, Log);

#[derive(Clone)]
struct NamedService<S>(Named, S);

impl<S> Layer<S> for Named {
    type Service = NamedService<S>;

    fn layer(&self, inner: S) -> NamedService<S> {
        NamedService(self.clone(), inner)
    }
}

impl<S: Service<Delivery>> Service<Delivery> for NamedService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.1.poll_ready(cx)
    }

    fn call(&mut self, delivery: Delivery) -> S::Future {
        let Named(name, log) = &self.0;
        log.lock().unwrap().push((*name).into());
        self.1.call(delivery)
    }
}

#[handler]
async fn first(_: Note) {}

#[handler]
async fn second(_: Note) {}

fn a_note() -> Delivery {
    delivery(&Note { text: String::new() }, vec![])
}

#[tokio::test]
async fn the_first_added_is_the_outermost_on_each_level() {
    let log = Log::default();
    let named = |name| Named(name, log.clone());
    let inner = handlers![first.layer(named("own 1")).layer(named("own 2")), second]
        .layer(named("group 1"))
        .layer(named("group 2"));
    let joined = Handlers::new().and(inner).layer(named("joined"));
    let mut app = Layers::default();
    app.push(named("app 1"));
    app.push(named("app 2"));

    let mut seen = Vec::new();
    for entry in joined.into_entries() {
        let service = entry.build(&Dependencies::default(), &app).unwrap();
        service.oneshot(a_note()).await.unwrap();
        seen.push(std::mem::take(&mut *log.lock().unwrap()));
    }
    let outer = ["app 1", "app 2", "joined", "group 1", "group 2"];
    assert_eq!(seen[0], [&outer[..], &["own 1", "own 2"]].concat());
    assert_eq!(seen[1], outer);
}

#[handler]
async fn slow(_: Note) {
    std::future::pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_tower_fits() {
    let service = service(
        handlers![slow].layer(TimeoutLayer::new(Duration::from_secs(5))),
        &Dependencies::default(),
    );
    let error = service.oneshot(a_note()).await.unwrap_err();
    assert!(error.is::<tower::timeout::error::Elapsed>(), "{error}");
}

/// How many of two handlers' deliveries, two each, are inside at once under that layer.
async fn inside_at_once(limited: impl Fn(Handlers) -> Handlers) -> usize {
    #[handler]
    async fn left(_: Note, inside: &Mutex<usize>) {
        *inside.lock().unwrap() += 1;
        std::future::pending::<()>().await;
    }
    #[handler]
    async fn right(_: Note, inside: &Mutex<usize>) {
        *inside.lock().unwrap() += 1;
        std::future::pending::<()>().await;
    }
    let inside = Arc::new(Mutex::new(0));
    let mut dependencies = Dependencies::default();
    dependencies.provide_arc(inside.clone());
    let mut running = Vec::new();
    for entry in limited(handlers![left, right]).into_entries() {
        let service = entry.build(&dependencies, &Layers::default()).unwrap();
        for _ in 0..2 {
            let mut delivery = Box::pin(service.clone().oneshot(a_note()));
            assert!(futures::poll!(&mut delivery).is_pending());
            running.push(delivery);
        }
    }
    *inside.lock().unwrap()
}

#[tokio::test]
async fn a_limit_is_each_handlers_own_or_all_handlers() {
    assert_eq!(inside_at_once(|all| all).await, 4);
    assert_eq!(inside_at_once(|all| all.layer(ConcurrencyLimitLayer::new(1))).await, 2);
    assert_eq!(inside_at_once(|all| all.layer(GlobalConcurrencyLimitLayer::new(1))).await, 1);
}
