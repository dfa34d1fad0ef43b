use std::collections::BTreeMap;

use tempfile::TempDir;

use super::{EmbeddedOptions, open, segment_files, small, writer_is_idle};
use crate::broker::{Broker, Publication, Subscription};
use crate::testing::broker_conformance::{
    cursors, fetch, is_empty, publication, publications, publish, settle, subscription,
};

/// Records of about 1,000 bytes.
pub(super) fn large(topic: &str, count: usize) -> Vec<Publication> {
    let large = |p| Publication { body: vec![b'x'; 950].into(), ..p };
    publications(topic, count).into_iter().map(large).collect()
}

#[tokio::test]
async fn settled_segments_go_and_offsets_never_restart() {
    let home = TempDir::new().unwrap();
    let broker = open(home.path(), small());
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    let mut cursor = Vec::new();
    for _ in 0..20 {
        publish(&broker, large("t", 10)).await;
        let records = fetch(&mut *consumer, 10).await;
        settle(&mut *consumer, &records).await;
        cursor.extend(records);
    }
    publish(&broker, large("t", 1)).await;
    writer_is_idle(&broker).await;
    assert!(broker.live_bytes() < 3 * 16 * 1024, "{} bytes live", broker.live_bytes());
    assert!(segment_files(home.path()).len() < 9, "at most 4 spares and 3 live");
    let last = fetch(&mut *consumer, 1).await;
    settle(&mut *consumer, &last).await;
    cursor.extend(last);
    drop((broker, consumer));

    let broker = open(home.path(), small());
    let ends: BTreeMap<_, _> = cursors(&cursor).into_iter().collect();
    assert_eq!(ends.values().sum::<u64>(), 201);
    let again = Subscription { cursors: cursors(&cursor), ..subscription("a", &["t"]) };
    let mut consumer = broker.subscribe(again).await.unwrap();
    assert!(consumer.lost().is_empty() && is_empty(&mut *consumer).await);
    publish(&broker, large("t", 10)).await;
    for record in fetch(&mut *consumer, 10).await {
        assert!(record.offset >= ends[&*record.partition]);
    }
}

#[tokio::test]
async fn one_unsettled_record_keeps_its_segment_and_all_behind_it() {
    let home = TempDir::new().unwrap();
    let broker = open(home.path(), small());
    let mut fast = broker.subscribe(subscription("fast", &["t"])).await.unwrap();
    let mut slow = broker.subscribe(subscription("slow", &["t", "u"])).await.unwrap();
    publish(&broker, vec![publication("u", "k", "kept")]).await;
    let mut kept = Vec::new();
    for _ in 0..8 {
        publish(&broker, large("t", 10)).await;
        let records = fetch(&mut *fast, 10).await;
        settle(&mut *fast, &records).await;
        let mut records = fetch(&mut *slow, if kept.is_empty() { 11 } else { 10 }).await;
        kept.extend(records.extract_if(.., |record| &*record.partition.topic == "u"));
        settle(&mut *slow, &records).await;
    }
    publish(&broker, large("t", 1)).await;
    let all = broker.live_bytes();
    assert!(all > 80_000, "{all} bytes live");
    settle(&mut *slow, &kept).await;
    writer_is_idle(&broker).await;
    assert!(broker.live_bytes() < all / 2, "{} of {all} bytes live", broker.live_bytes());
}

#[tokio::test]
async fn a_registered_consumer_that_stays_away_keeps_its_records() {
    let home = TempDir::new().unwrap();
    let broker = open(home.path(), small());
    drop(broker.subscribe(subscription("away", &["t"])).await.unwrap());
    let mut here = broker.subscribe(subscription("here", &["t"])).await.unwrap();
    let options = EmbeddedOptions { unregistered_bytes_max: 0, ..small() };
    for _ in 0..5 {
        publish(&broker, large("t", 20)).await;
        let records = fetch(&mut *here, 20).await;
        settle(&mut *here, &records).await;
    }
    drop((broker, here));
    let broker = open(home.path(), options);
    publish(&broker, large("t", 20)).await;
    let mut away = broker.subscribe(subscription("away", &["t"])).await.unwrap();
    assert!(fetch(&mut *away, 120).await.iter().any(|record| record.offset == 0));
}

#[tokio::test]
async fn a_subscription_without_a_topic_lets_it_go() {
    let home = TempDir::new().unwrap();
    let broker = open(home.path(), EmbeddedOptions { unregistered_bytes_max: 0, ..small() });
    let _both = broker.subscribe(subscription("a", &["t", "u"])).await.unwrap();
    publish(&broker, large("t", 60)).await;
    publish(&broker, large("u", 1)).await;
    let all = broker.live_bytes();
    assert!(all > 60_000);
    let mut one = broker.subscribe(subscription("a", &["u"])).await.unwrap();
    writer_is_idle(&broker).await;
    assert!(broker.live_bytes() < all, "{} of {all} bytes live", broker.live_bytes());
    assert_eq!(fetch(&mut *one, 1).await.len(), 1);
}

#[tokio::test]
async fn a_topic_without_a_consumer_keeps_its_newest_bytes() {
    let home = TempDir::new().unwrap();
    let options = EmbeddedOptions { unregistered_bytes_max: 30_000, ..small() };
    let broker = open(home.path(), options);
    for _ in 0..20 {
        publish(&broker, large("t", 10)).await;
    }
    writer_is_idle(&broker).await;
    assert!(broker.live_bytes() < 30_000 + 3 * 16 * 1024, "{} bytes live", broker.live_bytes());
    let mut late = broker.subscribe(subscription("late", &["t"])).await.unwrap();
    assert!(late.lost().is_empty(), "a new consumer begins with what is there");
    let mut bytes = 0;
    while !is_empty(&mut *late).await {
        let records = late.fetch(100, 1 << 20).await.unwrap();
        assert!(records.iter().all(|record| record.offset > 0));
        bytes += records.iter().map(|record| record.body.len()).sum::<usize>();
    }
    assert!(bytes > 25_000, "{bytes} bytes kept");
}

#[tokio::test]
async fn what_is_gone_is_reported_lost() {
    let home = TempDir::new().unwrap();
    let broker = open(home.path(), EmbeddedOptions { unregistered_bytes_max: 0, ..small() });
    let mut first = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    let batch =
        (0..60).map(|n| Publication { body: vec![0; 950].into(), ..publication("t", "k", n) });
    for publication in batch {
        publish(&broker, vec![publication]).await;
    }
    let records = fetch(&mut *first, 60).await;
    settle(&mut *first, &records).await;
    publish(&broker, vec![publication("t", "k", "last")]).await;
    writer_is_idle(&broker).await;
    let cursors = vec![(records[7].partition.as_ref().clone(), 7)];
    let restored = Subscription { cursors, ..subscription("a", &["t"]) };
    let mut second = broker.subscribe(restored).await.unwrap();
    let lost = second.lost();
    assert_eq!((lost.len(), lost[0].first), (1, 7));
    assert_eq!(fetch(&mut *second, 1).await[0].offset, lost[0].next);
}
