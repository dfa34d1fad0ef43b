use tempfile::TempDir;

use super::{EmbeddedBroker, EmbeddedOptions, open, small};
use crate::broker::{Broker, BrokerError};
use crate::testing::broker_conformance::{fetch, publications, publish, subscription};

fn refusal(dir: &std::path::Path, options: EmbeddedOptions) -> String {
    EmbeddedBroker::open_at_once(dir.to_owned(), options).unwrap_err().to_string()
}

#[tokio::test]
async fn a_directory_in_use_is_refused_until_its_broker_is_closed() {
    let home = TempDir::new().unwrap();
    let broker = open(home.path(), small());
    let message = refusal(home.path(), small());
    assert!(message.contains("in use") && message.contains(home.path().to_str().unwrap()));
    broker.close().await.unwrap();
    open(home.path(), small());
    // The one just opened was dropped at once.
    open(home.path(), small());
}

#[tokio::test]
async fn a_closed_broker_says_so_to_everyone() {
    let home = TempDir::new().unwrap();
    let broker = open(home.path(), small());
    let mut publisher = broker.publisher().await.unwrap();
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    let (fetched, closed) = tokio::join!(consumer.fetch(1, 1), broker.close());
    closed.unwrap();
    broker.close().await.unwrap();
    assert!(matches!(fetched, Err(BrokerError::Closed(_))));
    assert!(matches!(consumer.settle(&[]).await, Err(BrokerError::Closed(_))));
    let published = publisher.publish(publications("t", 1)).await;
    assert!(matches!(published, Err(BrokerError::Closed(_))));
    assert!(matches!(broker.room().await, Err(BrokerError::Closed(_))));
    assert!(broker.subscribe(subscription("a", &["t"])).await.is_err());
}

#[tokio::test]
async fn the_last_handle_may_be_a_publisher() {
    let home = TempDir::new().unwrap();
    let mut publisher = open(home.path(), small()).publisher().await.unwrap();
    publisher.publish(publications("t", 5)).await.unwrap();
    drop(publisher);
    let broker = open(home.path(), small());
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    assert_eq!(fetch(&mut *consumer, 5).await.len(), 5);
}

#[test]
fn an_unknown_format_is_refused() {
    let home = TempDir::new().unwrap();
    drop(open(home.path(), small()));
    std::fs::write(home.path().join("FORMAT"), "endwise embedded broker, format 1\n").unwrap();
    let message = refusal(home.path(), small());
    assert!(message.contains("format 1") && message.contains("FORMAT"), "{message}");
}

#[test]
fn a_directory_that_was_never_completely_made_is_made_anew() {
    let home = TempDir::new().unwrap();
    drop(open(home.path(), small()));
    std::fs::remove_file(home.path().join("FORMAT")).unwrap();
    std::fs::write(home.path().join("FORMAT.tmp"), "endw").unwrap();
    drop(open(home.path(), EmbeddedOptions { seed: 2, ..small() }));
    drop(open(home.path(), small()));
}

#[tokio::test]
async fn a_directory_with_frames_is_never_made_anew() {
    let home = TempDir::new().unwrap();
    publish(&open(home.path(), small()), publications("t", 1)).await;
    std::fs::remove_file(home.path().join("FORMAT")).unwrap();
    let message = refusal(home.path(), small());
    assert!(message.contains("holds frames"), "{message}");
}

#[test]
fn options_that_cannot_work_are_refused() {
    let home = TempDir::new().unwrap();
    for (options, name) in [
        (EmbeddedOptions { partitions: 0, ..small() }, "partitions"),
        (EmbeddedOptions { partitions: 257, ..small() }, "partitions"),
        (EmbeddedOptions { segment_bytes: 1, ..small() }, "segment_bytes"),
        (EmbeddedOptions { disk_bytes_max: 16 * 1024, ..small() }, "disk_bytes_max"),
    ] {
        assert!(refusal(home.path(), options).contains(name));
    }
}
