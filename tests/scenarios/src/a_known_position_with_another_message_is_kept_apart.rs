use std::time::Duration;

use framework::broker::memory::MemoryBroker;
use framework::dead_letters::Filter;
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;

use crate::support::{Gate, Trail, in_time};

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "notes", key = key)]
struct Note {
    key: String,
    number: u64,
}

#[derive(State, Default, Serialize, Deserialize)]
struct Notes {
    numbers: Vec<u64>,
}

#[handler]
async fn note(cmd: Note, notes: &mut Notes, gate: &Gate) {
    gate.pass(cmd.number.to_string()).await;
    notes.numbers.push(cmd.number);
}

/// Sends notes, and handles nothing.
fn desk() -> App {
    App::new("desk")
}

fn archive(gate: &Gate) -> App {
    App::new("archive").provide(gate.clone()).handlers(handlers![note])
}

/// Sends notes from a store that begins anew each time, with one id: as one that is put back.
async fn send(broker: &MemoryBroker, numbers: std::ops::Range<u64>) -> anyhow::Result<()> {
    let mut desk = TestApp::start_on(desk(), broker.clone(), MemoryStore::new(7)).await?;
    for number in numbers {
        desk.publish(Note { key: "k".into(), number }).await?;
    }
    while desk.service().status().await?.outbox > 0 {
        tokio::task::yield_now().await;
    }
    desk.advance(Duration::ZERO).await.ok();
    Ok(desk.stop().await?)
}

async fn mismatched(archive: &TestApp) -> anyhow::Result<Vec<String>> {
    let listed = archive.dead_letters().invalid().list(&Filter::new()).await?;
    let reasons: Vec<_> = listed.items.into_iter().map(|entry| entry.reason).collect();
    assert!(reasons.iter().all(|reason| reason.contains("belongs to another message")));
    Ok(reasons)
}

#[tokio::test(start_paused = true)]
async fn what_a_sender_that_was_put_back_sends_is_kept_and_reported() -> anyhow::Result<()> {
    let (trail, _recording) = Trail::record();
    let (broker, store, gate) = (MemoryBroker::new(1), MemoryStore::new(1), Gate::shut());
    gate.open();
    let mut archive =
        TestApp::start_on(self::archive(&gate), broker.clone(), store.clone()).await?;
    send(&broker, 0..5).await?;
    in_time(archive.settle()).await?;
    // True copies stay copies.
    for copy in broker.published("notes") {
        broker.publish_again("notes", copy);
    }
    in_time(archive.settle()).await?;
    assert_eq!(archive.service().counts().duplicates(), 5);
    assert_eq!(archive.service().counts().mismatched(), 0);
    archive.advance(Duration::from_secs(1)).await?;
    archive.stop().await?;

    // Also after a restart: what is remembered is stored.
    let mut archive =
        TestApp::start_on(self::archive(&gate), broker.clone(), store.clone()).await?;
    send(&broker, 100..103).await?;
    in_time(archive.settle()).await?;
    assert_eq!(archive.service().counts().mismatched(), 3);
    assert_eq!(mismatched(&archive).await?.len(), 3);
    assert_eq!(
        archive.service().status().await?.running.map(|running| running.mismatched),
        Some(3)
    );
    let notes = archive.state::<Notes>("k").await?.expect("notes");
    assert_eq!(notes.numbers, [0, 1, 2, 3, 4]);
    let text = trail.text();
    let lines = text.lines().filter(|line| line.contains("endwise::mismatch"));
    assert!(lines.clone().all(|line| line.contains("position=desk/0000000000000007/0/notes/")));
    assert_eq!(lines.count(), 3);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn while_the_first_is_handled_another_digest_shows_it() -> anyhow::Result<()> {
    let (broker, store, gate) = (MemoryBroker::new(1), MemoryStore::new(1), Gate::shut());
    let mut archive = TestApp::start_on(self::archive(&gate), broker.clone(), store).await?;
    send(&broker, 0..1).await?;
    gate.filled(1).await;
    // At the same time, by the clock.
    send(&broker, 1..2).await?;
    for copy in broker.published("notes").into_iter().take(1) {
        broker.publish_again("notes", copy);
    }
    while archive.service().counts().fetched() < 3 {
        tokio::task::yield_now().await;
    }
    gate.open();
    in_time(archive.settle()).await?;
    assert_eq!(mismatched(&archive).await?.len(), 1);
    // It is no copy either, so a replay leaves it where it is.
    let done = archive.dead_letters().invalid().replay(Filter::new()).await?;
    assert!(done.refused[0].reason.contains("belongs to another message"), "{done:?}");
    assert_eq!(mismatched(&archive).await?.len(), 1);
    assert_eq!(archive.service().counts().duplicates(), 1);
    assert_eq!(archive.state::<Notes>("k").await?.expect("notes").numbers, [0]);
    Ok(())
}
