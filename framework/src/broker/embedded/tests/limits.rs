use std::pin::pin;

use tempfile::TempDir;

use super::release::large;
use super::{EmbeddedOptions, open, small};
use crate::broker::{Broker, BrokerError};
use crate::testing::broker_conformance::{fetch, publish, settle, subscription};

fn limited() -> EmbeddedOptions {
    EmbeddedOptions { disk_bytes_max: 40_000, reserve_bytes: 30_000, ..small() }
}

#[tokio::test]
async fn room_waits_at_the_limit_and_the_reserve_ends_with_an_alarm() {
    let home = TempDir::new().unwrap();
    let broker = open(home.path(), limited());
    let mut slow = broker.subscribe(subscription("slow", &["t"])).await.unwrap();
    let mut fast = broker.subscribe(subscription("fast", &["t"])).await.unwrap();
    publish(&broker, large("t", 30)).await;
    broker.room().await.unwrap();
    publish(&broker, large("t", 15)).await;
    let mut room = pin!(broker.room());
    assert!(futures::poll!(&mut room).is_pending());

    publish(&broker, large("t", 15)).await;
    let records = fetch(&mut *fast, 60).await;
    settle(&mut *fast, &records).await;
    let mut publisher = broker.publisher().await.unwrap();
    match publisher.publish(large("t", 15)).await {
        Err(BrokerError::Full { limit_bytes: 40_000, consumer }) => assert_eq!(&*consumer, "slow"),
        other => panic!("{other:?}"),
    }
    assert!(futures::poll!(&mut room).is_pending());

    let records = fetch(&mut *slow, 60).await;
    settle(&mut *slow, &records).await;
    room.await.unwrap();
    publisher.publish(large("t", 15)).await.unwrap();
    assert_eq!(fetch(&mut *slow, 15).await.len(), 15, "what was refused left nothing behind");
}

#[tokio::test]
async fn at_the_limit_topics_without_a_consumer_give_way() {
    let home = TempDir::new().unwrap();
    let broker = open(home.path(), limited());
    for _ in 0..20 {
        publish(&broker, large("nobody's", 10)).await;
    }
    super::writer_is_idle(&broker).await;
    assert!(broker.live_bytes() <= 40_000);
    broker.room().await.unwrap();
    let status = broker.status().unwrap();
    let topic = &status.topics[0];
    assert!(topic.dropped > 100, "{topic:?}");
    assert_eq!(topic.dropped + topic.records, 200);
    // Also after a restart; and what somebody reads is not dropped.
    drop(broker);
    let broker = open(home.path(), limited());
    assert_eq!(broker.status().unwrap().topics[0].dropped, topic.dropped);
    broker.subscribe(subscription("a", &["nobody's"])).await.unwrap();
    assert_eq!(broker.status().unwrap().topics[0].dropped, 0);
}

#[tokio::test]
async fn a_record_larger_than_the_limit_does_not_stop_a_broker_that_holds_nothing() {
    let home = TempDir::new().unwrap();
    let broker = open(home.path(), limited());
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    publish(&broker, large("t", 100)).await;
    let records = fetch(&mut *consumer, 100).await;
    assert!(futures::poll!(pin!(broker.room())).is_pending());
    settle(&mut *consumer, &records).await;
    broker.room().await.unwrap();
    publish(&broker, large("t", 100)).await;
}
