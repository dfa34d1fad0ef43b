//! The socket, as a tool meets it.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::Running;
use crate::prelude::*;

#[derive(Message, Serialize, Deserialize)]
struct Ping {}

#[handler]
fn ping(_: Ping) {}

/// Holds a handler up.
#[derive(Clone, Debug, Default)]
struct Gate {
    reached: Arc<tokio::sync::Notify>,
    open: Arc<tokio::sync::Notify>,
}

#[handler]
async fn wait(_: Ping, gate: &Gate) {
    gate.reached.notify_one();
    gate.open.notified().await;
}

fn app() -> App {
    App::new("pinger").handlers(handlers![ping])
}

/// A connection that asks.
struct Tool(BufReader<UnixStream>);

impl Tool {
    async fn connect(path: &Path) -> Tool {
        Tool(BufReader::new(UnixStream::connect(path).await.unwrap()))
    }

    /// The answer's line; empty at the end.
    async fn ask(&mut self, question: &[u8]) -> String {
        self.0.get_mut().write_all(question).await.unwrap();
        self.answer().await
    }

    async fn answer(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_answers_one_question_after_the_other_until_the_service_ends() {
    let home = tempfile::tempdir().unwrap();
    let running = Running::start(home.path(), [app()]).await.unwrap();
    let path = home.path().join("pinger/admin");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let mut tool = Tool::connect(&path).await;
    let status = tool.ask(b"{\"version\":1,\"ask\":\"status\"}\n").await;
    let ask::status::Answer { status } = serde_json::from_str(&status).unwrap();
    assert_eq!((&*status.service, status.ready), ("pinger", true));
    let letters = tool.ask(b"{\"version\":1,\"ask\":\"dead_letters\"}\n").await;
    assert_eq!(letters, "{\"version\":1,\"answer\":\"dead_letters\",\"items\":[],\"next\":null}\n");

    running.stop().await.unwrap();
    assert_eq!(tool.answer().await, "", "it hangs up");
    assert!(!path.exists(), "nothing is left to connect to");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_can_see_what_a_stop_waits_for() {
    let home = tempfile::tempdir().unwrap();
    let gate = Gate::default();
    let app = App::new("pinger").provide(gate.clone()).handlers(handlers![wait]);
    let running = Running::start(home.path(), [app]).await.unwrap();
    let mut tool = Tool::connect(&home.path().join("pinger/admin")).await;
    let service = running.service("pinger").unwrap();
    service.producer().send(Ping {}).await.unwrap();
    gate.reached.notified().await;
    let stopping = tokio::spawn(async move { running.stop().await });
    // The flag is raised by the first poll of the stop, and nothing tells when that was.
    loop {
        let status = tool.ask(b"{\"version\":1,\"ask\":\"status\"}\n").await;
        if status.contains("\"reasons\":[\"stopping\"]") {
            assert!(status.contains("\"in_flight\":1,"), "{status}");
            break;
        }
    }
    gate.open.notify_one();
    stopping.await.unwrap().unwrap();
    assert_eq!(tool.answer().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_said_to_be_so() {
    let home = tempfile::tempdir().unwrap();
    let running = Running::start(home.path(), [app()]).await.unwrap();
    let mut tool = Tool::connect(&home.path().join("pinger/admin")).await;
    for (question, kind) in [
        ("no json\n", "question"),
        ("{\"ask\":\"status\"}\n", "question"),
        ("{\"version\":1,\"ask\":\"weather\"}\n", "question"),
        ("{\"version\":1,\"ask\":\"dead_letters\",\"filter\":{\"hanlder\":\"a\"}}\n", "question"),
        ("{\"version\":2,\"ask\":\"status\"}\n", "version"),
    ] {
        let answer = tool.ask(question.as_bytes()).await;
        assert!(answer.contains(&format!("\"kind\":\"{kind}\"")), "{question}: {answer}");
    }
    let long = vec![b' '; ASK_BYTES_MAX + 1];
    let answer = tool.ask(&long).await;
    assert!(answer.contains("at most 4194304 bytes"), "{answer}");
    assert_eq!(tool.answer().await, "", "and it hangs up");
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_is_told_so() {
    let home = tempfile::tempdir().unwrap();
    let running = Running::start(home.path(), [app()]).await.unwrap();
    let path = home.path().join("pinger/admin");
    let mut tools = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        let mut tool = Tool::connect(&path).await;
        tool.ask(b"{\"version\":1,\"ask\":\"status\"}\n").await;
        tools.push(tool);
    }
    let mut more = Tool::connect(&path).await;
    let answer = more.answer().await;
    assert!(answer.contains("\"kind\":\"connections\""), "{answer}");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_socket_that_was_left_is_replaced_and_another_file_is_not() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(NAME);
    // Dropping a listener leaves its file, as killing its process does.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let first = Socket::bind(&path).unwrap();
    let second = Socket::bind(&path).unwrap();
    drop(first);
    UnixStream::connect(&path).await.expect("the first does not take the second's away");
    drop(second);
    assert!(!path.exists());

    std::fs::write(&path, "mine").unwrap();
    let refused = Socket::bind(&path).unwrap_err().to_string();
    assert!(refused.contains("move it away"), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");

    let long = home.path().join("long".repeat(30));
    let refused = Socket::bind(&long).unwrap_err().to_string();
    assert!(refused.contains("use a shorter data directory"), "{refused}");
}
