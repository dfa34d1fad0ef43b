//! Not so yet: the outbox is bounded by the number of its messages alone. Issue 9, which rebuilds
//! the consume loop, makes it right; then `should_panic` goes.

use std::time::Duration;

use async_trait::async_trait;
use framework::broker::memory::MemoryBroker;
use framework::broker::{Broker, BrokerError, Consumer, Publication, Publisher, Subscription};
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use futures::future::join_all;

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "pictures")]
struct Picture {
    pixels: String,
}

/// A broker that never confirms what is published.
struct Stalled(MemoryBroker);

struct Stalling;

#[async_trait]
impl Publisher for Stalling {
    async fn publish(&mut self, _: Vec<Publication>) -> Result<(), BrokerError> {
        std::future::pending().await
    }
}

#[async_trait]
impl Broker for Stalled {
    async fn subscribe(&self, asked: Subscription) -> Result<Box<dyn Consumer>, BrokerError> {
        self.0.subscribe(asked).await
    }

    async fn publisher(&self) -> Result<Box<dyn Publisher>, BrokerError> {
        Ok(Box::new(Stalling))
    }

    async fn room(&self) -> Result<(), BrokerError> {
        Ok(())
    }
}

/// What one message has.
const BYTES: usize = 1_000_000;

/// What may wait: memory for it is at hand on any machine.
const WAITING_BYTES_MAX: usize = 64 << 20;

#[tokio::test(start_paused = true)]
#[should_panic(expected = "MB wait for the broker")]
async fn large_messages_wait_outside_as_many_small_ones_do() {
    let app = App::new("album").handlers(Handlers::new());
    let broker = Stalled(MemoryBroker::default());
    let service = app.start(broker, MemoryStore::new(1)).await.unwrap();
    let producer = service.producer();
    let send = |_| producer.send(Picture { pixels: "x".repeat(BYTES) });
    // All of them, or those for which there is room: time passes when nothing more can happen.
    let sends = join_all((0..80).map(send));
    let _ = tokio::time::timeout(Duration::from_secs(60), sends).await;
    let waiting = service.status().await.unwrap().outbox as usize * BYTES;
    assert!(waiting <= WAITING_BYTES_MAX, "{} MB wait for the broker", waiting / 1_000_000);
}
