//! What hangs or fails must not stop what is well, nor lose its place.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::app::App;
use crate::broker::Publication;
use crate::broker::memory::MemoryBroker;
use crate::dead_letters::Filter;
use crate::handler::{Handlers, handler, handlers};
use crate::limits::Limits;
use crate::policy::Retry;
use crate::prelude::{HandlerError, Message, Result, State};
use crate::service::{Service, Setting};
use crate::status::Reason;
use crate::store::memory::{Fault, MemoryStore};
use crate::stream::Slot;

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "letters", key = key)]
struct Letter {
    key: String,
    n: u64,
}

#[derive(Clone, Debug, Default, PartialEq, State, Serialize, Deserialize)]
struct Seen {
    numbers: Vec<u64>,
}

/// What does not go well at the moment.
#[derive(Clone, Default)]
struct Trouble {
    /// Keys whose handlers hang until they are taken off.
    hangs: Arc<watch::Sender<BTreeSet<String>>>,
    /// Numbers that are refused for good.
    refused: Arc<Mutex<BTreeSet<u64>>>,
}

#[handler(retry(attempts = 1), timeout = "1h")]
async fn read(letter: Letter, seen: &mut Seen, trouble: &Trouble) -> Result<()> {
    let mut hangs = trouble.hangs.subscribe();
    let _ = hangs.wait_for(|hangs| !hangs.contains(&letter.key)).await;
    if trouble.refused.lock().unwrap().contains(&letter.n) {
        return Err(HandlerError::permanent("refused"));
    }
    seen.numbers.push(letter.n);
    Ok(())
}

struct Post {
    broker: MemoryBroker,
    store: MemoryStore,
    trouble: Trouble,
    limits: Limits,
}

impl Post {
    fn new(limits: Limits) -> Self {
        let (broker, store) = (MemoryBroker::new(1), MemoryStore::new(1));
        Post { broker, store, trouble: Trouble::default(), limits }
    }

    async fn start(&self) -> Service {
        let app = App::new("post").provide(self.trouble.clone()).handlers(handlers![read]);
        let setting = Setting { limits: self.limits.clone(), ..Setting::in_test(0) };
        let (broker, store) = (Arc::new(self.broker.clone()), Box::new(self.store.clone()));
        app.start_in(broker, store, setting).await.unwrap()
    }
}

async fn send(service: &Service, key: &str, numbers: impl IntoIterator<Item = u64>) {
    for n in numbers {
        service.producer().send(Letter { key: key.into(), n }).await.unwrap();
    }
}

async fn seen(service: &Service, key: &str) -> Vec<u64> {
    service.state::<Seen>(key).await.unwrap().unwrap_or_default().numbers
}

/// Waits, commit by commit, until something is so. On paused time the limit passes only when
/// nothing can happen any more.
async fn until(service: &Service, mut what: impl AsyncFnMut() -> bool) {
    let mut commits = service.commits();
    let wait = async {
        while !what().await {
            commits.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(600), wait).await.unwrap();
}

async fn seen_all(service: &Service, key: &str, count: u64) {
    until(service, async || seen(service, key).await.len() == count as usize).await;
    let numbers = seen(service, key).await;
    assert!(numbers.iter().copied().eq(0..count), "{key}: {numbers:?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_hangs_does_not_fill_what_may_be_in_flight_and_keeps_its_order() {
    let limits = Limits { in_flight_max: 64, fetch_max: 16, ..Limits::default() };
    let post = Post::new(limits);
    post.trouble.hangs.send_replace(["slow".to_owned()].into());
    let service = post.start().await;
    for part in 0..10 {
        send(&service, "slow", part * 50..(part + 1) * 50).await;
        send(&service, "well", part * 50..(part + 1) * 50).await;
    }
    seen_all(&service, "well", 500).await;
    assert!(seen(&service, "slow").await.is_empty());
    assert!(service.counts().held() >= 400, "{}", service.counts().held());
    assert!(service.status().await.unwrap().running.unwrap().in_flight_most <= 80);

    // As a crash while the first still runs: it comes first again.
    drop(service);
    post.trouble.hangs.send_replace(BTreeSet::new());
    let service = post.start().await;
    seen_all(&service, "slow", 500).await;
    assert_eq!(service.status().await.unwrap().kept.held, 0);
    service.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_held_behind_one_that_runs_goes_on_with_its_end() {
    let post = Post::new(Limits { in_flight_max: 32, fetch_max: 8, ..Limits::default() });
    for is_refused in [false, true] {
        let key = format!("refused: {is_refused}");
        post.trouble.hangs.send_replace([key.clone()].into());
        let service = post.start().await;
        if is_refused {
            post.trouble.refused.lock().unwrap().insert(0);
        }
        let before = service.counts().held();
        send(&service, &key, 0..100).await;
        until(&service, async || service.counts().held() >= before + 80).await;
        post.trouble.hangs.send_replace(BTreeSet::new());
        if is_refused {
            let letters = service.dead_letters();
            until(&service, async || service.status().await.unwrap().kept.dead == 1).await;
            assert!(seen(&service, &key).await.is_empty());
            post.trouble.refused.lock().unwrap().clear();
            letters.replay(Filter::new()).await.unwrap();
        }
        seen_all(&service, &key, 100).await;
        service.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn when_too_much_is_kept_nothing_more_is_fetched_until_an_operator_lets_go() {
    let post =
        Post::new(Limits { holds_max: 40, in_flight_max: 8, fetch_max: 4, ..Limits::default() });
    post.trouble.refused.lock().unwrap().insert(0);
    let service = post.start().await;
    send(&service, "dead", 0..100).await;
    send(&service, "well", 0..10).await;
    let is_full = || service.ready().reasons.contains(&Reason::HoldsFull);
    until(&service, async || is_full()).await;
    let kept = service.status().await.unwrap().kept;
    assert!((40..=48).contains(&(kept.held + kept.dead)), "{kept:?}");
    assert!(seen(&service, "well").await.is_empty(), "the source waits");
    post.trouble.refused.lock().unwrap().clear();
    service.dead_letters().replay(Filter::new()).await.unwrap();
    seen_all(&service, "dead", 100).await;
    seen_all(&service, "well", 10).await;
    assert!(service.ready().is_ready(), "{:?}", service.ready());
    service.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_at_its_deadline_and_leaves_what_hangs_for_the_next_start() {
    let post = Post::new(Limits::default());
    post.trouble.hangs.send_replace(["slow".to_owned()].into());
    let service = post.start().await;
    send(&service, "slow", 0..3).await;
    send(&service, "well", 0..3).await;
    seen_all(&service, "well", 3).await;
    let began = tokio::time::Instant::now();
    service.stop().await.unwrap();
    let took = began.elapsed();
    assert!((Duration::from_secs(30)..Duration::from_secs(31)).contains(&took), "{took:?}");
    post.trouble.hangs.send_replace(BTreeSet::new());
    let service = post.start().await;
    seen_all(&service, "slow", 3).await;
    let began = tokio::time::Instant::now();
    service.stop().await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO, "nothing runs, nothing is waited for");
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_waits_does_not_hold_up_a_stop() {
    #[handler]
    async fn fails(_: Letter) -> Result<()> {
        Err("not yet".into())
    }
    let (broker, store) = (MemoryBroker::new(1), MemoryStore::new(1));
    let retry = Retry::new().attempts(100).min(Duration::from_secs(60));
    let handlers: Handlers = handlers![fails].retry(retry);
    let app = App::new("post").handlers(handlers);
    let service =
        app.start_in(Arc::new(broker.clone()), Box::new(store), Setting::in_test(0)).await.unwrap();
    send(&service, "a", 0..20).await;
    until(&service, async || service.status().await.unwrap().kept.held == 19).await;
    let began = tokio::time::Instant::now();
    service.stop().await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(broker.unsettled("post", "letters"), 0, "all of it is the store's");
}

#[tokio::test(start_paused = true)]
async fn too_many_records_that_are_no_message_stop_the_source_until_they_are_discarded() {
    let post = Post::new(Limits { invalid_max: 3, fetch_max: 1, ..Limits::default() });
    let service = post.start().await;
    let no_json = Publication {
        topic: "letters".into(),
        slot: Slot(0),
        key: None,
        headers: [("ce_type", "Letter")].into_iter().collect(),
        body: b"{".as_slice().into(),
    };
    for _ in 0..3 {
        post.broker.publish_again("letters", no_json.clone());
    }
    let is_full = || service.ready().reasons.contains(&Reason::InvalidFull);
    until(&service, async || is_full()).await;
    send(&service, "well", 0..3).await;
    assert!(seen(&service, "well").await.is_empty(), "the source waits");
    let discarded = service.dead_letters().invalid().discard(Filter::new()).await.unwrap();
    assert_eq!(discarded.done.len(), 3);
    seen_all(&service, "well", 3).await;
    assert!(service.ready().is_ready(), "{:?}", service.ready());
    service.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_is_refused_after_what_ran_was_kept_is_made_again() {
    let post = Post::new(Limits { in_flight_max: 32, fetch_max: 8, ..Limits::default() });
    post.trouble.hangs.send_replace(["slow".to_owned()].into());
    let service = post.start().await;
    send(&service, "slow", 0..100).await;
    // What runs is kept, with what is held behind it, and ends while that finds no room.
    post.store.inject([Fault::NoRoom, Fault::None, Fault::Conflict, Fault::Conflict]);
    let mut commits = service.commits();
    while !service.ready().reasons.contains(&Reason::NoRoom) {
        let _ = tokio::time::timeout(Duration::from_millis(50), commits.changed()).await;
    }
    post.trouble.hangs.send_replace(BTreeSet::new());
    seen_all(&service, "slow", 100).await;
    service.stop().await.unwrap();
}
