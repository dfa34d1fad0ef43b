use tempfile::TempDir;

use super::kill::copy;
use super::{EmbeddedOptions, open, small};
use crate::broker::{Broker, Subscription};
use crate::stream::PartitionId;
use crate::testing::broker_conformance::{
    by_key, cursors, fetch, is_empty, publications, publish, settle, subscription,
};

#[tokio::test]
async fn a_reopened_broker_has_the_same_records_and_incarnations() {
    let home = TempDir::new().unwrap();
    let broker = open(home.path(), EmbeddedOptions { partitions: 3, ..small() });
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    publish(&broker, publications("t", 100)).await;
    let before = fetch(&mut *consumer, 100).await;
    broker.close().await.unwrap();

    // Neither the number of partitions nor the randomness of a topic that exists is taken anew.
    let broker = open(home.path(), EmbeddedOptions { partitions: 7, seed: 9, ..small() });
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    let after = fetch(&mut *consumer, 100).await;
    let place = |r: &crate::broker::Record| (PartitionId::clone(&r.partition), r.offset);
    assert_eq!(
        before.iter().map(place).collect::<Vec<_>>(),
        after.iter().map(place).collect::<Vec<_>>()
    );
    assert_eq!(by_key(&before), by_key(&after));
    assert!(before.iter().all(|record| record.partition.partition < 3));
    publish(&broker, publications("new", 100)).await;
    let mut consumer = broker.subscribe(subscription("b", &["new"])).await.unwrap();
    let records = fetch(&mut *consumer, 100).await;
    assert_eq!(records.iter().map(|record| record.partition.partition).max(), Some(6));
}

#[tokio::test]
async fn topics_without_a_consumer_are_there_again() {
    let home = TempDir::new().unwrap();
    for n in 0..3 {
        let broker = open(home.path(), small());
        publish(&broker, publications(&format!("topic-{n}"), 10)).await;
        publish(&broker, publications(&format!("another-{n}"), 10)).await;
    }
    let broker = open(home.path(), small());
    let topics = ["topic-0", "another-0", "topic-1", "another-1", "topic-2", "another-2"];
    let mut consumer = broker.subscribe(subscription("a", &topics)).await.unwrap();
    let records = fetch(&mut *consumer, 60).await;
    for topic in topics {
        assert_eq!(records.iter().filter(|r| &*r.partition.topic == topic).count(), 10);
    }
}

#[tokio::test]
async fn a_topic_of_another_directory_is_another_incarnation() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut incarnations = Vec::new();
    for home in [&one, &two] {
        let broker = open(home.path(), EmbeddedOptions::default());
        publish(&broker, [publications("t", 1), publications("u", 1)].concat()).await;
        let mut consumer = broker.subscribe(subscription("a", &["t", "u"])).await.unwrap();
        let records = fetch(&mut *consumer, 2).await;
        incarnations.extend(records.iter().map(|record| record.partition.incarnation));
    }
    incarnations.sort_unstable();
    incarnations.dedup();
    assert_eq!(incarnations.len(), 4);
}

#[tokio::test]
async fn a_consumer_goes_on_at_its_cursors_after_a_restart() {
    let home = TempDir::new().unwrap();
    let broker = open(home.path(), small());
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    publish(&broker, publications("t", 100)).await;
    let first = fetch(&mut *consumer, 60).await;
    settle(&mut *consumer, &first).await;
    drop((broker, consumer));

    let broker = open(home.path(), small());
    let cursors = cursors(&first);
    let again = Subscription { cursors, ..subscription("a", &["t"]) };
    let mut consumer = broker.subscribe(again).await.unwrap();
    assert!(consumer.lost().is_empty());
    let rest = fetch(&mut *consumer, 40).await;
    assert_eq!(by_key(&[first, rest].concat()).values().flatten().count(), 100);
    assert!(is_empty(&mut *consumer).await);
}

#[tokio::test]
async fn a_consumer_that_does_not_come_back_is_not_behind_on_what_it_has_settled() {
    let home = TempDir::new().unwrap();
    for (closes, behind) in [(true, 40), (false, 100)] {
        let broker = open(home.path(), small());
        let name = if closes { "a" } else { "b" };
        let mut consumer = broker.subscribe(subscription(name, &[name])).await.unwrap();
        publish(&broker, publications(name, 100)).await;
        let records = fetch(&mut *consumer, 60).await;
        settle(&mut *consumer, &records).await;
        assert_eq!(broker.lag(name), Some(40));
        if closes {
            broker.close().await.unwrap();
            drop((broker, consumer));
        } else {
            // It dies: what it knows of its consumers is older, and keeps more.
            let killed = TempDir::new().unwrap();
            copy(home.path(), killed.path());
            let broker = open(killed.path(), small());
            assert_eq!(broker.lag(name), Some(behind));
            continue;
        }
        let broker = open(home.path(), small());
        assert_eq!(broker.lag(name), Some(behind));
        broker.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_store_newer_than_the_broker_is_told() {
    let (home, old) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let broker = open(home.path(), small());
    publish(&broker, publications("t", 10)).await;
    super::kill::copy(home.path(), old.path());
    publish(&broker, publications("t", 10)).await;
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    let cursors = cursors(&fetch(&mut *consumer, 20).await);

    let broker = open(old.path(), small());
    let newer = Subscription { cursors, ..subscription("a", &["t"]) };
    let Err(error) = broker.subscribe(newer).await else { panic!("it was subscribed") };
    assert!(error.to_string().contains("older than the store"), "{error}");
}
