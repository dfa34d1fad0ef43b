use super::Limits;
use crate::intake::IntakeError;
use crate::outgoing::SendError;
use crate::prelude::*;
use crate::testing::TestApp;

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "notes", key = to)]
struct Note {
    to: String,
    text: String,
}

impl Note {
    fn of(bytes: usize) -> Note {
        Note { to: "ada".into(), text: "x".repeat(bytes) }
    }
}

/// Doubles a note, if not too often.
#[handler(retry(attempts = 1))]
fn double(note: Note) -> Option<Outgoing<Note>> {
    let again = Note { text: note.text.repeat(2), ..note };
    (again.text.len() > 10).then(|| again.to("doubles"))
}

fn app() -> App {
    App::new("post").handlers(handlers![double])
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_is_held_against_the_services_own_limits() {
    let limits = Limits {
        payload_bytes_max: 100,
        headers_max: 2,
        headers_bytes_max: 30,
        ..Limits::default()
    };
    let mut post = TestApp::start_within(app(), limits).await.unwrap();
    let producer = post.service().producer();
    producer.send(Note::of(50)).await.unwrap();
    let error = producer.send(Note::of(99)).await.unwrap_err();
    let IntakeError::Message(SendError::TooLarge { most: 100, .. }) = error else {
        panic!("{error}")
    };
    let many = Note::of(1).header("a", "").header("b", "").header("c", "");
    let error = producer.send_from("file", 1, many).await.unwrap_err();
    assert!(error.to_string().contains("has 3 headers, more than 2 (limits.headers_max)"));
    let error = producer.send(Note::of(1).header("a", &"x".repeat(30))).await.unwrap_err();
    assert!(error.to_string().contains("34 bytes of headers, more than 30"), "{error}");

    // What the handler makes of the first is too large.
    post.settle().await.unwrap();
    assert_eq!(post.dead_letters().count(&Default::default()).await.unwrap(), 1);
    assert!(post.published::<Note>().unwrap().len() == 1, "nothing of it was sent");
}

#[tokio::test(start_paused = true)]
async fn no_more_messages_wait_to_be_taken_in_than_may() {
    let limits = Limits { intake_max: 3, ..Limits::default() };
    let post = TestApp::start_within(app(), limits).await.unwrap();
    let producer = post.service().producer();
    let sends: Vec<_> = (0..4).map(|_| producer.send(Note::of(1))).collect();
    let mut sent = futures::future::join_all(sends).await;
    assert!(matches!(sent.pop(), Some(Err(IntakeError::Busy { max: 3 }))));
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    // A stream of them waits instead, though its groups are larger.
    let notes = futures::stream::iter((0..1_000).map(|n| (n, Note::of(1))));
    assert_eq!(producer.send_all_from("file", notes).await.unwrap().new, 1_000);
    post.stop().await.unwrap();
}
