use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::sync::Semaphore;

use crate::app::App;
use crate::broker::memory::MemoryBroker;
use crate::broker::{Broker, BrokerError, Consumer, Publication, Publisher, Subscription};
use crate::handler::{handler, handlers};
use crate::limits::Limits;
use crate::outgoing::Outbox;
use crate::prelude::{Message, MessageExt};
use crate::service::{Service, Setting};
use crate::store::memory::MemoryStore;
use serde::{Deserialize, Serialize};

mod failing;
mod poison;
mod probing;
mod random;

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "letters", key = n)]
struct Letter {
    n: u64,
}

/// How many handlers are inside, now and at most, and what lets them out.
struct Room {
    now: AtomicUsize,
    most: AtomicUsize,
    open: Semaphore,
}

#[handler]
async fn hold(_: Letter, room: &Arc<Room>) {
    room.most.fetch_max(room.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    if let Ok(permit) = room.open.acquire().await {
        permit.forget();
    }
    room.now.fetch_sub(1, Ordering::SeqCst);
}

#[handler]
async fn spread(letter: Letter, outbox: &mut Outbox) {
    for n in 0..50 {
        outbox.send(Letter { n: letter.n * 50 + n }.to("copies"));
    }
}

/// A broker whose confirmations wait until they are let.
struct Slow(MemoryBroker, Arc<Semaphore>);

#[async_trait]
impl Broker for Slow {
    async fn subscribe(&self, to: Subscription) -> Result<Box<dyn Consumer>, BrokerError> {
        self.0.subscribe(to).await
    }

    async fn publisher(&self) -> Result<Box<dyn Publisher>, BrokerError> {
        Ok(Box::new(Slow(self.0.clone(), Arc::clone(&self.1))))
    }

    async fn room(&self) -> Result<(), BrokerError> {
        Ok(())
    }
}

#[async_trait]
impl Publisher for Slow {
    async fn publish(&mut self, batch: Vec<Publication>) -> Result<(), BrokerError> {
        if batch.iter().any(|one| &*one.topic == "copies") {
            self.1.acquire().await.unwrap().forget();
        }
        self.0.publish(batch).await
    }
}

async fn start(app: App, broker: impl Broker, limits: Limits) -> Service {
    let setting = Setting { limits, ..Setting::default() };
    app.start_in(Arc::new(broker), Box::new(MemoryStore::new(1)), setting).await.unwrap()
}

async fn yield_until(what: impl Fn() -> bool) {
    for _ in 0..100_000 {
        if what() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it does not come about");
}

#[tokio::test(start_paused = true)]
async fn no_more_lanes_run_side_by_side_than_may() {
    let room = Room { now: 0.into(), most: 0.into(), open: Semaphore::new(0) };
    let room = Arc::new(room);
    let app = App::new("post").provide(Arc::clone(&room)).handlers(handlers![hold]);
    let limits = Limits { lanes_max: 3, task_lanes_max: 2, ..Limits::default() };
    let service = start(app, MemoryBroker::default(), limits).await;
    for n in 0..20 {
        service.producer().send(Letter { n }).await.unwrap();
    }
    yield_until(|| room.now.load(Ordering::SeqCst) == 3).await;
    room.open.add_permits(20);
    service.stop().await.unwrap();
    assert_eq!(room.most.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_broker_holds_handlers_up_and_a_stop_still_ends() {
    let (broker, confirm) = (MemoryBroker::default(), Arc::new(Semaphore::new(0)));
    let app = App::new("post").handlers(handlers![spread]);
    let limits = Limits { outbox_max: 100, lanes_max: 4, task_lanes_max: 2, ..Limits::default() };
    let service = start(app, Slow(broker.clone(), Arc::clone(&confirm)), limits).await;
    let sends: Vec<_> = (0..200).map(|n| service.producer().send(Letter { n })).collect();
    let handled = || service.counts().handled().map(|(_, count)| count).sum::<u64>();
    yield_until(|| handled() > 0).await;
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    // Those that ran when the limit was reached, and no more.
    assert!((2..=8).contains(&handled()), "{}", handled());
    confirm.add_permits(Semaphore::MAX_PERMITS >> 1);
    drop(sends);
    yield_until(|| handled() == 200).await;
    service.stop().await.unwrap();
    assert_eq!(broker.published("copies").len(), 200 * 50);
}
