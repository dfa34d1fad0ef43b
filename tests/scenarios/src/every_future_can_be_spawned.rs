//! Every future of the interface can be spawned on a runtime of several threads.

use std::convert::Infallible;

use anyhow::Result;
use framework::broker::Broker;
use framework::broker::embedded::EmbeddedBroker;
use framework::dead_letters::Filter;
use framework::prelude::*;
use framework::raw_states::KeyFilter;
use framework::store::OpenStore;
use framework::testing::TestApp;
use framework::timers::TimerFilter;
use framework::{Config, Producer, Running, Service, ServiceHandle, Stopper};

#[derive(Message, Serialize, Deserialize)]
#[message(key = of)]
struct Ping {
    of: u8,
}

#[derive(State, Default, Serialize, Deserialize)]
struct Pings {
    count: u64,
}

#[handler]
async fn ping(_: Ping, pings: &mut Pings) {
    pings.count += 1;
}

fn app() -> App {
    App::new("pinger").handlers(handlers![ping])
}

/// Takes what `tokio::spawn` would take, but for its lifetime. The compiler is the test.
fn spawned<T: Send>(_: T) {}

fn starts(broker: impl Broker, store: impl OpenStore + 'static) {
    spawned(framework::run(app()));
    spawned(framework::run_all([app()]));
    spawned(Running::start("data", [app()]));
    spawned(Running::start(Config::default(), vec![app()]));
    spawned(app().start(broker, store));
    spawned(TestApp::start(app()));
}

fn runs_on(broker: impl Broker, store: impl OpenStore + 'static) {
    spawned(framework::run_on(app(), broker, store));
}

async fn nothing(_: Stopper) -> std::result::Result<(), Infallible> {
    Ok(())
}

fn running(running: &Running, broker: &EmbeddedBroker) {
    spawned(running.ended());
    spawned(running.settle());
    spawned(running.forget_consumer("gone"));
    spawned(running.until_signal());
    spawned(running.serve(nothing));
    spawned(running.stop());
    spawned(running.stopper().requested());
    spawned(broker.close());
}

fn service(service: &Service) {
    spawned(service.ended());
    spawned(service.stop());
}

fn producer(producer: &Producer) {
    spawned(producer.send(Ping { of: 1 }));
    spawned(producer.send_from("a", 1, Ping { of: 1 }));
    spawned(producer.send_once("a", "b", Ping { of: 1 }));
    spawned(producer.send_all_from("a", futures::stream::iter([(1, Ping { of: 1 })])));
    spawned(producer.sent_from("a"));
}

fn handle(handle: &ServiceHandle) {
    spawned(handle.state::<Pings>("key"));
    spawned(handle.states::<Pings>());
    spawned(handle.sent());
    spawned(handle.accept_lost("stream"));
    spawned(handle.status());
    spawned(handle.sources().list(None, 1));
    spawned(handle.sources().retire("a"));
    spawned(handle.timers().list(&TimerFilter::new()));
    spawned(handle.timers().count(&TimerFilter::new()));
    spawned(handle.timers().cancel(TimerFilter::new()));
}

fn stored(handle: &ServiceHandle) {
    let states = handle.raw_states();
    spawned(states.names());
    spawned(states.list("Pings", &KeyFilter::new()));
    spawned(states.get("Pings", "key"));
    spawned(states.set("Pings", "key", "{}"));
    spawned(states.remove("Pings", "key", None));
}

fn letters(handle: &ServiceHandle) {
    let (letters, all) = (handle.dead_letters(), Filter::new());
    spawned(letters.list(&all));
    spawned(letters.count(&all));
    spawned(letters.show(1));
    spawned(letters.replay(all.clone()));
    spawned(letters.discard(all.clone()));
    spawned(letters.holds(None, 1));
    spawned(letters.invalid().list(&all));
    spawned(letters.invalid().replay(all.clone()));
    spawned(letters.invalid().discard(all.clone()));
    spawned(letters.unhandled().list(&all));
    spawned(letters.unhandled().discard(all.clone()));
}

fn in_a_test(app: &mut TestApp) {
    spawned(app.publish(Ping { of: 1 }));
    spawned(app.settle());
    spawned(app.advance(std::time::Duration::from_secs(1)));
    spawned(app.state::<Pings>("key"));
}

#[test]
fn every_future_of_the_interface_is_send() {
    use framework::broker::memory::MemoryBroker;
    use framework::store::sled::SledStore;

    // Named, so that they are compiled; they are never called.
    let _: [fn(MemoryBroker, SledStore); 2] = [starts, runs_on];
    let _: fn(&Running, &EmbeddedBroker) = running;
    let _: fn(&Service) = service;
    let _: fn(&Producer) = producer;
    let _: [fn(&ServiceHandle); 3] = [handle, stored, letters];
    let _: fn(&mut TestApp) = in_a_test;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_starts_and_stops_in_a_task() -> Result<()> {
    let home = tempfile::tempdir()?;
    let data = home.path().to_owned();
    let task = tokio::spawn(async move {
        let running = Running::start(data, [app()]).await?;
        let service = running.service("pinger").expect("it was started").handle();
        service.producer().send(Ping { of: 1 }).await?;
        running.settle().await?;
        running.stop().await?;
        anyhow::Ok(())
    });
    task.await?
}
