use framework::prelude::*;
use framework::testing::TestApp;
use framework::{IntakeError, Running};

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "notes", key = name)]
struct Note {
    name: String,
    text: String,
}

#[derive(State, Default, Serialize, Deserialize)]
#[state(name = "kept")]
struct Kept {
    text: String,
}

#[handler]
fn keep(_: Note, kept: &mut Kept) {
    kept.text = "x".repeat(60_000);
}

fn app() -> App {
    App::new("notes").handlers(handlers![keep])
}

fn notes(count: u64, bytes: usize) -> impl futures::Stream<Item = (u64, Note)> {
    let note = move |n: u64| Note { name: n.to_string(), text: "y".repeat(bytes) };
    futures::stream::iter((0..count).map(move |n| (n, note(n))))
}

#[tokio::test]
async fn many_large_states_in_one_backlog() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let running = Running::start(home.path(), [app()]).await?;
    running.services()[0].producer().send_all_from("s", notes(4_000, 1)).await?;
    running.settle().await?;
    assert_eq!(running.services()[0].counts().handled().next(), Some(("keep", 4_000)));
    Ok(running.stop().await?)
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_large_messages() -> anyhow::Result<()> {
    let mut app = TestApp::start(app()).await?;
    let sent = app.service().producer().send_all_from("s", notes(300, 900_000)).await?;
    assert_eq!(sent.new, 300);
    app.settle().await?;
    Ok(app.stop().await?)
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_large_is_named_and_those_before_it_are_durable() -> anyhow::Result<()>
{
    let app = TestApp::start(app()).await?;
    let producer = app.service().producer();
    let size = |n| if n == 5 { 2 << 20 } else { 1 };
    let stream = (0..10).map(|n| (n, Note { name: n.to_string(), text: "y".repeat(size(n)) }));
    let failed = producer.send_all_from("s", futures::stream::iter(stream)).await;
    assert!(matches!(failed, Err(IntakeError::Numbered { number: 5, .. })), "{failed:?}");
    assert_eq!(producer.sent_from("s").await?, 5);
    Ok(())
}
