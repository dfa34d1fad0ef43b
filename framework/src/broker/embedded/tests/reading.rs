use std::os::unix::fs::FileExt;
use std::pin::pin;

use tempfile::TempDir;

use super::release::large;
use super::{EmbeddedOptions, open, segment_files, small};
use crate::broker::{Broker, BrokerError, Consumer};
use crate::testing::broker_conformance::{by_key, fetch, publications, publish, subscription};

#[tokio::test]
async fn a_consumer_far_behind_reads_from_the_disk_and_catches_up() {
    let home = TempDir::new().unwrap();
    let broker = open(home.path(), EmbeddedOptions { cache_bytes_max: 10_000, ..small() });
    let mut behind = broker.subscribe(subscription("behind", &["t"])).await.unwrap();
    for batch in publications("t", 3000).chunks(25) {
        publish(&broker, batch.to_vec()).await;
    }
    assert!(segment_files(home.path()).len() > 5);
    let records = fetch(&mut *behind, 3000).await;
    for (key, bodies) in by_key(&records) {
        assert_eq!(bodies.len(), 300);
        assert!(bodies.windows(2).all(|pair| pair[0] + 10 == pair[1]), "{key}");
    }
    publish(&broker, publications("t", 1)).await;
    assert_eq!(fetch(&mut *behind, 1).await[0].body, "0");
}

#[tokio::test]
async fn a_fetch_dropped_while_it_reads_from_the_disk_has_taken_nothing() {
    let home = TempDir::new().unwrap();
    let broker = open(home.path(), EmbeddedOptions { cache_bytes_max: 0, ..small() });
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    for batch in publications("t", 200).chunks(10) {
        publish(&broker, batch.to_vec()).await;
    }
    let mut records = Vec::new();
    while records.len() < 200 {
        // The first poll begins to read; it is dropped, whatever it comes to.
        if let std::task::Poll::Ready(got) = futures::poll!(pin!(consumer.fetch(9, 1 << 20))) {
            records.extend(got.unwrap());
        }
        if records.len() < 200 {
            records.extend(consumer.fetch(4, 1 << 20).await.unwrap());
        }
    }
    assert_eq!(by_key(&records).values().flatten().count(), 200);
    assert!(by_key(&records).values().all(|bodies| bodies.windows(2).all(|p| p[0] < p[1])));
}

/// Flips one bit of every segment's frames, away from their beginnings.
fn damage(dir: &std::path::Path) {
    for number in segment_files(dir) {
        let path = dir.join(format!("journal/segment-{number:012}"));
        let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, 6000).unwrap();
        file.write_all_at(&[byte[0] ^ 1], 6000).unwrap();
    }
}

async fn first_error(consumer: &mut dyn Consumer) -> BrokerError {
    loop {
        if let Err(error) = consumer.fetch(100, 1 << 20).await {
            return error;
        }
    }
}

#[tokio::test]
async fn a_flipped_bit_on_disk_is_an_error_that_names_file_and_offset() {
    let home = TempDir::new().unwrap();
    let broker = open(home.path(), EmbeddedOptions { cache_bytes_max: 0, ..small() });
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    for _ in 0..10 {
        publish(&broker, large("t", 4)).await;
    }
    damage(home.path());
    let error = first_error(&mut *consumer).await.to_string();
    assert!(error.contains("segment-0000") && error.contains("offset"), "{error}");
    // It stays one: the records behind it do not come as if nothing were missing.
    assert!(consumer.fetch(100, 1 << 20).await.is_err());
    drop((broker, consumer));
    let refused = super::EmbeddedBroker::open(home.path(), small()).unwrap_err().to_string();
    assert!(refused.contains("damaged"), "{refused}");
}
