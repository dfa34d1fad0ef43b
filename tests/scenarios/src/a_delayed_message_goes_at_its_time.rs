use std::time::{Duration, UNIX_EPOCH};

use framework::broker::memory::MemoryBroker;
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;

const MINUTE: Duration = Duration::from_secs(60);

/// What `remind` and `note` are told to do.
#[derive(Clone, Copy, Message, Serialize, Deserialize)]
#[message(topic = "orders", key = order)]
struct Remind {
    order: u32,
    text: u32,
    after_ms: u64,
    step: Step,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Step {
    Unnamed,
    Named,
    Cancel,
    Fail,
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "orders", key = order)]
struct Note {
    order: u32,
    text: u32,
}

#[derive(State, Default, Serialize, Deserialize)]
struct Noted {
    texts: Vec<u32>,
}

#[handler(retry(attempts = 1))]
fn remind(cmd: Remind, outbox: &mut Outbox) -> Result<()> {
    let note = Note { order: cmd.order, text: cmd.text }.delay(Duration::from_millis(cmd.after_ms));
    match cmd.step {
        Step::Unnamed => outbox.send(note),
        Step::Named => outbox.send(note.named("note")),
        Step::Cancel => outbox.cancel::<Note>(cmd.order, "note"),
        Step::Fail => {
            outbox.cancel::<Note>(cmd.order, "note");
            outbox.send(note);
            Err("nothing of it happens")?;
        }
    }
    Ok(())
}

#[handler]
fn note(note: Note, noted: &mut Noted) {
    noted.texts.push(note.text);
}

fn app() -> App {
    App::new("reminders").handlers(handlers![remind, note])
}

async fn noted(app: &TestApp, order: &str) -> anyhow::Result<Vec<u32>> {
    Ok(app.state::<Noted>(order).await?.map_or(Vec::new(), |noted| noted.texts))
}

fn told(order: u32, text: u32, after: Duration, step: Step) -> Remind {
    Remind { order, text, after_ms: u64::try_from(after.as_millis()).unwrap(), step }
}

#[tokio::test(start_paused = true)]
async fn at_its_time_and_not_before() -> anyhow::Result<()> {
    let mut app = TestApp::start(app()).await?;
    app.publish(told(1, 1, 10 * MINUTE, Step::Unnamed)).await?;
    app.publish(told(1, 2, 5 * MINUTE, Step::Unnamed)).await?;
    app.settle().await?;
    app.advance(5 * MINUTE - Duration::from_millis(1)).await?;
    assert!(noted(&app, "1").await?.is_empty());
    app.advance(Duration::from_millis(1)).await?;
    assert_eq!(noted(&app, "1").await?, [2]);
    // One that comes later and is due earlier is noticed.
    app.publish(told(1, 3, MINUTE, Step::Unnamed)).await?;
    app.advance(2 * MINUTE).await?;
    assert_eq!(noted(&app, "1").await?, [2, 3]);
    app.advance(3 * MINUTE).await?;
    assert_eq!(noted(&app, "1").await?, [2, 3, 1]);
    assert_eq!(app.service().sent().await?, [("orders".into(), 6)]);
    assert_eq!(app.service().counts().accepted(), 3, "what is let go did not come from outside");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn from_outside_too_and_at_once_if_its_time_is_past() -> anyhow::Result<()> {
    let mut app = TestApp::start(app()).await?;
    // The tests' clock starts with 2026.
    let new_year = UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    app.publish(Note { order: 1, text: 1 }.at(new_year + MINUTE)).await?;
    app.publish(Note { order: 1, text: 2 }.at(new_year - MINUTE)).await?;
    app.settle().await?;
    assert_eq!(noted(&app, "1").await?, [2]);
    app.advance(MINUTE).await?;
    assert_eq!(noted(&app, "1").await?, [2, 1]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn its_place_among_those_of_its_key_is_that_of_its_release() -> anyhow::Result<()> {
    let mut app = TestApp::start(app()).await?;
    app.publish(told(1, 1, MINUTE, Step::Unnamed)).await?;
    app.settle().await?;
    app.publish(Note { order: 1, text: 2 }).await?;
    app.advance(MINUTE).await?;
    app.publish(Note { order: 1, text: 3 }).await?;
    app.settle().await?;
    assert_eq!(noted(&app, "1").await?, [2, 1, 3]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_with_a_name_is_replaced_and_taken_back() -> anyhow::Result<()> {
    let mut app = TestApp::start(app()).await?;
    app.publish(told(1, 1, MINUTE, Step::Named)).await?;
    app.publish(told(2, 1, MINUTE, Step::Named)).await?;
    app.settle().await?;
    // Replaced by a later one: of this key alone.
    app.publish(told(1, 2, 3 * MINUTE, Step::Named)).await?;
    app.advance(2 * MINUTE).await?;
    assert_eq!((noted(&app, "1").await?, noted(&app, "2").await?), (vec![], vec![1]));
    app.advance(MINUTE).await?;
    assert_eq!(noted(&app, "1").await?, [2]);
    // Taken back in time, and too late.
    app.publish(told(1, 3, MINUTE, Step::Named)).await?;
    app.publish(told(1, 0, MINUTE, Step::Cancel)).await?;
    app.advance(2 * MINUTE).await?;
    assert_eq!(noted(&app, "1").await?, [2]);
    app.publish(told(1, 4, MINUTE, Step::Named)).await?;
    app.advance(MINUTE).await?;
    app.publish(told(1, 0, MINUTE, Step::Cancel)).await?;
    app.advance(MINUTE).await?;
    assert_eq!(noted(&app, "1").await?, [2, 4]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_attempt_sends_or_takes_back_stays_as_it_was() -> anyhow::Result<()> {
    let mut app = TestApp::start(app()).await?;
    app.publish(told(1, 1, MINUTE, Step::Named)).await?;
    app.publish(told(1, 2, MINUTE, Step::Fail)).await?;
    app.advance(2 * MINUTE).await?;
    assert_eq!(noted(&app, "1").await?, [1]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn also_after_a_restart_or_a_crash() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
    let mut first = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
    for (text, minutes) in [(1, 10), (2, 20), (3, 30)] {
        first.publish(told(1, text, minutes * MINUTE, Step::Named)).await?;
        first.publish(told(2, text, minutes * MINUTE, Step::Unnamed)).await?;
    }
    first.settle().await?;
    first.stop().await?;
    let mut second = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
    second.advance(15 * MINUTE).await?;
    assert_eq!(noted(&second, "2").await?, [1]);
    drop(second);
    // What became due while nobody was there goes at the next start.
    tokio::time::advance(7 * MINUTE).await;
    let mut third = TestApp::start_on(app(), broker, store).await?;
    third.settle().await?;
    assert_eq!(noted(&third, "2").await?, [1, 2]);
    third.advance(8 * MINUTE).await?;
    assert_eq!((noted(&third, "1").await?, noted(&third, "2").await?), (vec![3], vec![1, 2, 3]));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn thousands_that_are_due_together_go_in_the_order_of_their_times() -> anyhow::Result<()> {
    let mut app = TestApp::start(app()).await?;
    let count = 5_000;
    for text in 0..count {
        let due = Duration::from_millis(u64::from(1 + text / 100));
        app.publish(Note { order: text % 7, text }.delay(MINUTE + due)).await?;
    }
    tokio::time::advance(2 * MINUTE).await;
    app.settle().await?;
    for order in 0..7 {
        let texts = noted(&app, &order.to_string()).await?;
        assert!(texts.into_iter().eq((order..count).step_by(7)), "order {order}");
    }
    Ok(())
}
