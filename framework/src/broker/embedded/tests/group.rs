use std::pin::pin;

use tempfile::TempDir;

use super::{EmbeddedOptions, open, small};
use crate::broker::Broker;
use crate::testing::broker_conformance::{fetch, publication, subscription};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishers_at_a_time_each_keep_their_order() {
    let home = TempDir::new().unwrap();
    let options = EmbeddedOptions { segment_bytes: 64 * 1024, ..small() };
    let broker = open(home.path(), options);
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    let publish = |publisher: usize| {
        let broker = broker.clone();
        async move {
            let mut publishing = broker.publisher().await.unwrap();
            let key = format!("publisher-{publisher}");
            for batch in 0..50 {
                let body = |n| publication("t", &key, batch * 7 + n);
                publishing.publish((0..7).map(body).collect()).await.unwrap();
            }
        }
    };
    let publishers: Vec<_> = (0..8).map(|n| tokio::spawn(publish(n))).collect();
    let records = fetch(&mut *consumer, 8 * 350).await;
    for publisher in publishers {
        publisher.await.unwrap();
    }
    for (key, bodies) in crate::testing::broker_conformance::by_key(&records) {
        assert_eq!(bodies, (0..350).collect::<Vec<_>>(), "{key}");
    }
}

/// While the disk stands still, what is published gathers; the next sync takes it all.
#[tokio::test]
async fn what_gathers_during_a_sync_shares_the_next() {
    let home = TempDir::new().unwrap();
    let disk = super::faults::FaultyDisk::default();
    let broker = super::EmbeddedBroker::open_on(disk.clone(), home.path().into(), small()).unwrap();
    let mut publishers = Vec::new();
    for _ in 0..10 {
        publishers.push(broker.publisher().await.unwrap());
    }
    publishers[0].publish(vec![publication("t", "k", 0)]).await.unwrap();
    let before = disk.syncs();
    let stopped = disk.stop_at_sync();
    let mut publishing: Vec<_> = publishers
        .iter_mut()
        .map(|publisher| Box::pin(publisher.publish(vec![publication("t", "k", 1)])))
        .collect();
    assert!(futures::poll!(&mut publishing[0]).is_pending());
    stopped.wait_until_reached();
    for publish in &mut publishing[1..] {
        assert!(futures::poll!(publish.as_mut()).is_pending());
    }
    stopped.go_on();
    for publish in pin!(publishing).iter_mut() {
        publish.await.unwrap();
    }
    assert_eq!(disk.syncs() - before, 2, "one for the first, one for the nine that came meanwhile");
}

#[tokio::test]
async fn a_record_can_be_fetched_only_once_it_is_durable() {
    let (home, copied) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let disk = super::faults::FaultyDisk::default();
    let broker = super::EmbeddedBroker::open_on(disk.clone(), home.path().into(), small()).unwrap();
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    let mut publisher = broker.publisher().await.unwrap();
    publisher.publish(vec![publication("t", "k", 0)]).await.unwrap();
    assert_eq!(fetch(&mut *consumer, 1).await[0].body, "0");

    let stopped = disk.stop_at_sync();
    let mut publishing = pin!(publisher.publish(vec![publication("t", "k", 1)]));
    assert!(futures::poll!(&mut publishing).is_pending());
    stopped.wait_until_reached();
    let mut fetching = pin!(consumer.fetch(1, 1 << 20));
    assert!(futures::poll!(&mut fetching).is_pending());
    assert!(futures::poll!(&mut publishing).is_pending());
    // Killed here, the next process finds what was acknowledged, and the rest whole or not at all.
    super::kill::copy(home.path(), copied.path());
    let found = open(copied.path(), small());
    let mut again = found.subscribe(subscription("a", &["t"])).await.unwrap();
    for (n, record) in again.fetch(10, 1 << 20).await.unwrap().into_iter().enumerate() {
        assert_eq!(record.body, n.to_string());
    }
    stopped.go_on();
    publishing.await.unwrap();
    assert_eq!(fetching.await.unwrap()[0].body, "1");
}
