use framework::broker::Publication;
use framework::broker::memory::MemoryBroker;
use framework::prelude::*;
use framework::status::{FullStream, Reason};
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;

use crate::support::in_time;

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "notes", key = key)]
struct Note {
    key: String,
    text: String,
}

#[derive(State, Default, Serialize, Deserialize)]
struct Notes {
    count: u64,
}

#[handler]
async fn note(_: Note, notes: &mut Notes) {
    notes.count += 1;
}

fn archive() -> App {
    App::new("archive").handlers(handlers![note])
}

/// The records of notes as their sender has published them.
async fn notes(key: &str, texts: impl Iterator<Item = String>) -> Vec<Publication> {
    let broker = MemoryBroker::new(1);
    let store = MemoryStore::new(7);
    let desk = TestApp::start_on(App::new("desk"), broker.clone(), store).await.unwrap();
    let notes = texts.map(|text| Note { key: key.into(), text });
    let numbered = futures::stream::iter((0..).zip(notes));
    desk.service().producer().send_all_from("test", numbered).await.unwrap();
    while desk.service().status().await.unwrap().outbox > 0 {
        tokio::task::yield_now().await;
    }
    broker.published("notes")
}

async fn full(archive: &TestApp) -> FullStream {
    loop {
        let reasons = archive.service().ready().reasons;
        if let Some(Reason::StreamFull(stream)) = reasons.into_iter().next() {
            return stream;
        }
        tokio::task::yield_now().await;
    }
}

/// Waits until nothing is in flight: what waits for its stream is not.
async fn at_rest(archive: &TestApp) {
    while archive.service().status().await.unwrap().running.is_none_or(|now| now.in_flight > 0) {
        tokio::task::yield_now().await;
    }
}

async fn handled(archive: &TestApp, key: &str, count: u64) {
    while archive.state::<Notes>(key).await.unwrap().map_or(0, |notes| notes.count) < count {
        tokio::task::yield_now().await;
    }
}

const MESSAGES: usize = 110_000;

#[tokio::test(start_paused = true)]
async fn a_stream_with_too_many_holes_waits_others_go_on_and_an_operator_has_a_remedy()
-> anyhow::Result<()> {
    let all = notes("often", (0..MESSAGES).map(|_| String::new())).await;
    let others = notes("seldom", (0..20).map(|_| String::new())).await;
    let (broker, store) = (MemoryBroker::new(1), MemoryStore::new(1));
    let archive = TestApp::start_on(self::archive(), broker.clone(), store.clone()).await?;
    // Of each two, one never comes.
    let odd = || all.iter().step_by(2);
    odd().take(30_000).for_each(|one| broker.publish_again("notes", one.clone()));
    handled(&archive, "often", 30_000).await;
    assert!(archive.service().ready().is_ready());
    // A few too many, and others between them.
    let (more, rest) = (odd().skip(30_000).take(15_500), odd().skip(45_500).take(300));
    more.for_each(|one| broker.publish_again("notes", one.clone()));
    for (one, other) in rest.zip(others.iter().cycle()).take(20) {
        broker.publish_again("notes", one.clone());
        broker.publish_again("notes", other.clone());
    }
    let stream = full(&archive).await;
    assert!(stream.holes > 40_000, "{stream:?}");
    assert!(stream.stream.starts_with("desk/0000000000000007/0/notes/"), "{stream:?}");
    handled(&archive, "seldom", 20).await;
    at_rest(&archive).await;
    let taken = archive.state::<Notes>("often").await?.expect("notes").count;
    assert!(taken > 40_000 && taken < 45_520, "{taken}");
    assert!(archive.service().ready().to_string().contains("accept-lost"));
    drop(archive);

    // A restart finds the same.
    let mut archive = TestApp::start_on(self::archive(), broker.clone(), store.clone()).await?;
    assert_eq!(full(&archive).await.stream, stream.stream);
    at_rest(&archive).await;
    assert_eq!(archive.state::<Notes>("often").await?.expect("notes").count, taken);
    assert!(!archive.service().accept_lost("desk/0/0/notes/1").await?);
    assert!(archive.service().accept_lost(&stream.stream).await?);
    in_time(archive.settle()).await?;
    assert_eq!(archive.state::<Notes>("often").await?.expect("notes").count, 45_520);
    assert!(archive.service().ready().is_ready());
    // What comes of them later is a copy.
    broker.publish_again("notes", all[1].clone());
    in_time(archive.settle()).await?;
    assert_eq!(archive.state::<Notes>("often").await?.expect("notes").count, 45_520);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_record_over_a_limit_leaves_no_hole() -> anyhow::Result<()> {
    let large = |n: usize| if n.is_multiple_of(2) { String::new() } else { "x".repeat(60) };
    let all = notes("k", (0..10).map(large)).await;
    // One that is damaged proves nothing of a position: the message may still come.
    let mut damaged = all[4].clone();
    damaged.body = b"{\"key\":\"k\",\"text\":\"?\"}".as_slice().into();
    let limits = framework::Limits { payload_bytes_max: 50, ..Default::default() };
    let mut archive = TestApp::start_within(self::archive(), limits).await?;
    let broker = archive.broker().clone();
    broker.publish_again("notes", damaged);
    for one in &all {
        broker.publish_again("notes", one.clone());
    }
    in_time(archive.settle()).await?;
    assert_eq!(archive.state::<Notes>("k").await?.expect("notes").count, 5);
    assert_eq!(archive.service().counts().invalid(), 6);
    // A copy of one that is on the list is a copy.
    broker.publish_again("notes", all[1].clone());
    in_time(archive.settle()).await?;
    assert_eq!(archive.service().counts().handled().map(|(_, n)| n).sum::<u64>(), 5);
    Ok(())
}
