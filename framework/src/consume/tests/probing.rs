//! Probation: what ran when the process died runs alone first, as long as it takes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::broker::memory::MemoryBroker;
use crate::clock::Clock;
use crate::handler::{Handlers, handler, handlers};
use crate::prelude::{Message, State};
use crate::service::{Service, Setting};
use crate::store::memory::MemoryStore;
use crate::store::{OpenStore, Opened, StoreError};

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "letters", key = key)]
struct Letter {
    key: String,
}

#[derive(Clone, Debug, Default, State, Serialize, Deserialize)]
struct Read {
    letters: u64,
}

/// Lets time pass: paused, it takes none.
async fn pass(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

#[handler(timeout = "1h")]
async fn read(_: Letter, read: &mut Read, takes: &Duration) {
    pass(*takes).await;
    read.letters += 1;
}

/// Begins with the first handler, and never ends in the first process.
#[handler(timeout = "1h")]
async fn file(letter: Letter, takes: &Duration) {
    if letter.key == "a" {
        pass(*takes).await;
    }
}

#[handler(timeout = "1h", name = "read")]
async fn skim(_: Letter, read: &mut Read) {
    read.letters += 1;
}

/// A store in memory whose service has a directory, and so marks.
struct Placed(MemoryStore, PathBuf);

#[async_trait]
impl OpenStore for Placed {
    async fn open(self: Box<Self>, service: Arc<str>) -> Result<Opened, StoreError> {
        let Placed(store, directory) = *self;
        let opened = Box::new(store).open(service).await?;
        Ok(Opened { directory: Some(directory), ..opened })
    }
}

struct World {
    broker: MemoryBroker,
    store: MemoryStore,
    home: tempfile::TempDir,
    clock: Clock,
}

impl World {
    fn new() -> Self {
        World {
            broker: MemoryBroker::new(1),
            store: MemoryStore::new(1),
            home: tempfile::tempdir().unwrap(),
            clock: Clock::fixed(0),
        }
    }

    async fn start(&self, handlers: Handlers, takes: Duration) -> Service {
        let app = App::new("post").provide(takes).handlers(handlers);
        let store = Placed(self.store.clone(), self.home.path().to_owned());
        let setting = Setting { clock: self.clock.clone(), ..Setting::in_test(0) };
        app.start_in(Arc::new(self.broker.clone()), Box::new(store), setting).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_takes_long_is_waited_for_without_a_busy_loop() {
    let world = World::new();
    let service = world.start(handlers![read], Duration::from_secs(60)).await;
    service.producer().send(Letter { key: "a".into() }).await.unwrap();
    pass(Duration::from_secs(1)).await;
    // As a crash while it runs.
    drop(service);
    let service = world.start(handlers![read], Duration::from_secs(60)).await;
    pass(Duration::from_secs(59)).await;
    let reasons = service.ready().reasons;
    assert!(!reasons.is_empty(), "it is in probation");
    pass(Duration::from_secs(3)).await;
    assert_eq!(service.state::<Read>("a").await.unwrap().unwrap().letters, 1);
    service.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_done_of_a_message_in_part_is_not_waited_for() {
    let world = World::new();
    let service = world.start(handlers![skim, file], Duration::from_secs(600)).await;
    service.producer().send(Letter { key: "a".into() }).await.unwrap();
    pass(Duration::from_secs(1)).await;
    assert_eq!(service.state::<Read>("a").await.unwrap().unwrap().letters, 1);
    drop(service);
    let service = world.start(handlers![skim, file], Duration::ZERO).await;
    for _ in 0..10 {
        service.producer().send(Letter { key: "b".into() }).await.unwrap();
        pass(Duration::from_millis(500)).await;
    }
    assert_eq!(service.state::<Read>("b").await.unwrap().map(|read| read.letters), Some(10));
    service.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_has_lost_is_not_waited_for_while_others_come() {
    let world = World::new();
    let service = world.start(handlers![read], Duration::from_secs(600)).await;
    service.producer().send(Letter { key: "a".into() }).await.unwrap();
    pass(Duration::from_secs(1)).await;
    drop(service);
    let world = World { broker: MemoryBroker::new(1), ..world };
    let service = world.start(handlers![read], Duration::ZERO).await;
    for _ in 0..40 {
        service.producer().send(Letter { key: "b".into() }).await.unwrap();
        pass(Duration::from_millis(500)).await;
    }
    assert_eq!(service.state::<Read>("b").await.unwrap().map(|read| read.letters), Some(40));
    service.stop().await.unwrap();
}
