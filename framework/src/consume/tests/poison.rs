//! Nothing that a handler's author writes, and no record, ends the service: what goes wrong is a
//! failed attempt, or an invalid message, and those behind it go on.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::broker::memory::MemoryBroker;
use crate::broker::{Broker, Publication};
use crate::dead_letters::Filter;
use crate::envelope::attributes::TYPE;
use crate::handler::{Handlers, handler, handlers};
use crate::message::AsKey;
use crate::outgoing::Outbox;
use crate::policy::Retry;
use crate::prelude::{Message, MessageExt, Result, State};
use crate::service::{Service, Setting};
use crate::store::memory::MemoryStore;
use crate::stream::Slot;

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "letters", key = key)]
struct Letter {
    key: String,
    is_bad: bool,
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "nowhere")]
struct Heavy {
    text: String,
}

#[derive(Clone, Debug, Default, State, Serialize, Deserialize)]
struct Read {
    letters: u64,
}

/// What it does when it is shown, or dropped, is a panic.
#[derive(Debug)]
struct Bomb;

impl std::fmt::Display for Bomb {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("while it was shown")
    }
}

impl std::error::Error for Bomb {}

struct Fuse;

impl Drop for Fuse {
    fn drop(&mut self) {
        panic!("while it was dropped")
    }
}

#[handler(retry(attempts = 1))]
async fn shows(letter: Letter, read: &mut Read) -> Result<()> {
    read.letters += 1;
    if letter.is_bad { Err(Bomb)? } else { Ok(()) }
}

#[handler(retry(attempts = 1))]
async fn fails(letter: Letter, read: &mut Read) -> Result<()> {
    read.letters += 1;
    if letter.is_bad { Err("plainly")? } else { Ok(()) }
}

#[handler(retry(attempts = 1), timeout = "1s")]
async fn hangs(letter: Letter, read: &mut Read) {
    read.letters += 1;
    if letter.is_bad {
        let _fuse = Fuse;
        std::future::pending::<()>().await;
    }
}

#[handler(retry(attempts = 1))]
async fn cancels(letter: Letter, read: &mut Read, outbox: &mut Outbox) {
    read.letters += 1;
    if letter.is_bad {
        outbox.cancel::<Letter>("k".repeat(1_000), "reminder");
    }
}

#[handler(retry(attempts = 1))]
async fn sends_much(letter: Letter, read: &mut Read, outbox: &mut Outbox) {
    read.letters += 1;
    for _ in 0..if letter.is_bad { 140 } else { 0 } {
        outbox.send(Heavy { text: "x".repeat(1_000_000) });
    }
}

#[handler(retry(attempts = 1))]
async fn sends_many(letter: Letter, read: &mut Read, outbox: &mut Outbox) {
    read.letters += 1;
    for _ in 0..if letter.is_bad { 140_000 } else { 0 } {
        outbox.send(Letter { key: String::new(), is_bad: false }.to("nowhere"));
    }
}

#[handler(retry(attempts = 1))]
async fn cancels_many(letter: Letter, read: &mut Read, outbox: &mut Outbox) {
    read.letters += 1;
    for n in 0..if letter.is_bad { 400_000 } else { 0 } {
        outbox.cancel::<Letter>("k".repeat(390), &format!("reminder {n}"));
    }
}

/// A key that cannot be written as one.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Unwritable(u64);

impl AsKey for Unwritable {
    fn as_key(&self) -> Cow<'_, str> {
        panic!("while the key was asked for")
    }
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "letters", key = key)]
struct Odd {
    key: Unwritable,
}

#[handler]
async fn never(_: Odd) {}

async fn start(handlers: Handlers) -> (Service, MemoryBroker) {
    let broker = MemoryBroker::new(1);
    let app = App::new("post").handlers(handlers);
    let store = Box::new(MemoryStore::new(1));
    let service = app.start_in(Arc::new(broker.clone()), store, Setting::in_test(0)).await;
    (service.unwrap(), broker)
}

/// A letter that ends badly is a dead letter, and the next of another key is read.
async fn goes_on(handlers: Handlers) {
    let (service, _) = start(handlers).await;
    let mut commits = service.commits();
    for (key, is_bad) in [("bad", true), ("good", false)] {
        service.producer().send(Letter { key: key.into(), is_bad }).await.unwrap();
    }
    let done = async {
        while service.dead_letters().list(&Filter::new()).await.unwrap().items.is_empty()
            || service.state::<Read>("good").await.unwrap().is_none()
        {
            commits.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(600), done).await.expect("it goes on");
    assert!(service.state::<Read>("bad").await.unwrap().is_none());
    service.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_error_that_panics_when_it_is_shown() {
    goes_on(handlers![shows]).await;
}

#[tokio::test(start_paused = true)]
async fn a_classifier_of_errors_that_panics() {
    let retry = Retry::new().attempts(1).unless(|_| panic!("while it was classified"));
    goes_on(handlers![fails].retry(retry)).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_when_it_is_dropped() {
    goes_on(handlers![hangs]).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_whose_key_is_too_long() {
    goes_on(handlers![cancels]).await;
}

#[tokio::test(start_paused = true)]
async fn more_bytes_than_a_commit_takes() {
    goes_on(handlers![sends_much]).await;
}

#[tokio::test(start_paused = true)]
async fn more_messages_than_a_commit_takes() {
    goes_on(handlers![sends_many]).await;
}

#[tokio::test(start_paused = true)]
async fn more_cancels_than_a_commit_takes() {
    goes_on(handlers![cancels_many]).await;
}

/// A record from elsewhere, and then a letter that is read.
async fn after_record(of: Option<&str>, body: &str, handlers: Handlers) -> Service {
    let (service, broker) = start(handlers).await;
    let publication = Publication {
        topic: "letters".into(),
        slot: Slot(0),
        key: None,
        headers: of.map(|of| (TYPE, of)).into_iter().collect(),
        body: body.to_owned().into(),
    };
    let mut publisher = broker.publisher().await.unwrap();
    publisher.publish(vec![publication]).await.unwrap();
    service.producer().send(Letter { key: "good".into(), is_bad: false }).await.unwrap();
    let mut commits = service.commits();
    let done = async {
        while service.state::<Read>("good").await.unwrap().is_none() {
            commits.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(600), done).await.expect("it goes on");
    service
}

#[tokio::test(start_paused = true)]
async fn a_key_of_zero_bytes() {
    let body = serde_json::json!({ "key": "\0".repeat(400), "is_bad": false }).to_string();
    after_record(None, &body, handlers![fails]).await.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_type_whose_key_panics() {
    let handlers = handlers![fails, never];
    let service = after_record(Some("Odd"), r#"{"key":1}"#, handlers).await;
    let kept = service.status().await.unwrap().kept;
    assert_eq!((kept.invalid, kept.waiting), (0, 1), "its handler has failed with it");
    service.stop().await.unwrap();
}
