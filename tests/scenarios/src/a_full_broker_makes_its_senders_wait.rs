use std::path::Path;

use framework::prelude::*;
use framework::status::Reason;
use framework::{Config, Running};

use crate::support::Gate;

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "orders", key = order)]
struct Order {
    order: u64,
    filling: String,
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "charges", key = order)]
struct Charge {
    order: u64,
    filling: String,
}

#[derive(State, Default, Serialize, Deserialize)]
struct Charged {
    times: u64,
}

#[handler]
async fn ship(cmd: Order, gate: &Gate) -> Vec<Charge> {
    gate.pass(cmd.order.to_string()).await;
    let charge = || Charge { order: cmd.order, filling: filling() };
    vec![charge(), charge(), charge()]
}

#[handler]
async fn charge(_: Charge, charged: &mut Charged) {
    charged.times += 1;
}

fn filling() -> String {
    "x".repeat(100_000)
}

fn config(data: &Path) -> Config {
    let mut config = Config::from(data);
    config.broker.embedded.segment_bytes = 1 << 20;
    config.broker.embedded.disk_bytes_max = 8 << 20;
    config.broker.embedded.reserve_bytes = 1 << 20;
    config
}

fn shipping(gate: &Gate) -> App {
    App::new("shipping").provide(gate.clone()).handlers(handlers![ship])
}

fn billing() -> App {
    App::new("billing").handlers(handlers![charge])
}

/// Runs on a runtime of its own, so that what is not stopped is killed.
fn phase(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(work);
}

/// Waits until publishing waits for room.
async fn is_full(running: &Running) {
    while !running.service("shipping").unwrap().ready().reasons.contains(&Reason::BrokerFull) {
        assert!(futures::poll!(std::pin::pin!(running.ended())).is_pending(), "it has ended");
        tokio::task::yield_now().await;
    }
}

const ORDERS: u64 = 40;

#[test]
fn a_full_broker_makes_its_senders_wait_and_each_start_drains_what_it_can() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path();
    phase(async {
        // From here on the broker keeps what billing has not handled.
        Running::start(config(data), [billing()]).await.unwrap().stop().await.unwrap();
        let gate = Gate::shut();
        let running = Running::start(config(data), [shipping(&gate)]).await.unwrap();
        let producer = running.service("shipping").unwrap().producer();
        for order in 0..ORDERS {
            producer.send(Order { order, filling: filling() }).await.unwrap();
        }
        gate.open();
        is_full(&running).await;
        // Handlers go on all the same.
        gate.entered(ORDERS as usize).await;
        let shipping = running.service("shipping").unwrap();
        while shipping.counts().handled().map(|(_, count)| count).sum::<u64>() < ORDERS {
            tokio::task::yield_now().await;
        }
        // What they settled made room for a moment: three charges an order are more than there is.
        while !shipping.ready().to_string().contains("the broker has no room") {
            assert!(futures::poll!(std::pin::pin!(running.ended())).is_pending(), "it has ended");
            tokio::task::yield_now().await;
        }
        assert!(shipping.status().await.unwrap().outbox > 0);
        let waits = producer.send(Order { order: ORDERS, filling: filling() });
        assert!(futures::poll!(std::pin::pin!(waits)).is_pending());
    });
    for end in 0..3 {
        phase(async {
            let gate = Gate::shut();
            gate.open();
            let running = Running::start(config(data), [shipping(&gate)]).await.unwrap();
            is_full(&running).await;
            if end == 1 {
                // A stop does not wait for room, and loses nothing of what waits for it.
                running.stop().await.unwrap();
            }
        });
    }
    phase(async {
        let gate = Gate::shut();
        gate.open();
        let apps = [billing(), shipping(&gate)];
        let running = Running::start(config(data), apps).await.unwrap();
        let more = Order { order: ORDERS + 1, filling: filling() };
        running.service("shipping").unwrap().producer().send(more).await.unwrap();
        running.settle().await.unwrap();
        let billing = running.service("billing").unwrap();
        for order in (0..ORDERS).chain([ORDERS + 1]) {
            let charged = billing.state::<Charged>(&order.to_string()).await.unwrap();
            assert_eq!(charged.map(|charged| charged.times), Some(3), "order {order}");
        }
        assert!(running.service("shipping").unwrap().ready().is_ready());
        running.stop().await.unwrap();
    });
}
