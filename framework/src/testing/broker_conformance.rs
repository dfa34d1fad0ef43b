//! What every broker must do, as one suite. A broker's tests say
//! `broker_conformance!(make)`, where `make()` returns a [`Subject`].
//!
//! What brokers may do differently is declared as a feature, and what follows from either choice
//! is tested; nothing is skipped. No test waits for time.

use std::any::Any;
use std::collections::BTreeMap;
use std::pin::pin;

use crate::broker::{Broker, BrokerError, Consumer, Publication, Record, Subscription};
use crate::committed::{Committed, RecordRef};
use crate::stream::{PartitionId, Slot};

/// A fresh broker to be tested, with what it declares.
pub(crate) struct Subject {
    pub(crate) broker: Box<dyn Broker>,
    pub(crate) features: Features,
    /// What must outlive the broker, such as its directory.
    pub(crate) _home: Box<dyn Any + Send>,
}

/// What brokers may do differently.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Features {
    pub(crate) cursor_beyond_end: CursorBeyondEnd,
}

/// What becomes of a subscription that reads on from where the broker has never been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CursorBeyondEnd {
    /// It fails.
    Refused,
    /// It waits until the broker comes there.
    Waited,
}

/// Makes a test of every claim.
macro_rules! broker_conformance {
    ($make:expr; $($claim:ident)*) => {
        $(
            #[tokio::test]
            async fn $claim() {
                $crate::testing::broker_conformance::$claim($make()).await;
            }
        )*
    };
    ($make:expr) => {
        $crate::testing::broker_conformance::broker_conformance! { $make;
            what_is_published_is_fetched_in_partition_order
            offsets_rise_densely_from_0
            one_consumer_fetches_nothing_twice
            two_consumers_each_read_all
            a_second_subscription_closes_the_first
            a_waiting_fetch_is_closed_by_a_take_over
            a_consumer_reads_on_from_its_cursor
            a_cursor_beyond_the_end_is_treated_as_declared
            what_is_not_settled_is_read_again
            what_another_consumer_settled_is_still_there
            a_fetch_waits_and_is_woken
            a_dropped_fetch_has_taken_nothing
            the_limits_of_a_fetch_hold
            one_larger_record_still_comes
            keys_headers_and_bodies_come_back
            an_empty_batch_is_published
            a_broker_with_room_says_so
            a_paused_partition_waits_and_the_others_go_on
        }
    };
}
pub(crate) use broker_conformance;

/// A publication to `topic`, of a key and with a number as its body.
pub(crate) fn publication(topic: &str, key: &str, body: impl ToString) -> Publication {
    Publication {
        topic: topic.into(),
        slot: Slot::of(key),
        key: Some(key.into()),
        headers: [("type", "test"), ("key", key)].into_iter().collect(),
        body: body.to_string().into_bytes().into(),
    }
}

/// `count` publications to `topic`, of 10 keys in turn.
pub(crate) fn publications(topic: &str, count: usize) -> Vec<Publication> {
    (0..count).map(|n| publication(topic, &format!("key-{}", n % 10), n)).collect()
}

/// A subscription without cursors.
pub(crate) fn subscription(consumer: &str, topics: &[&str]) -> Subscription {
    let topics = topics.iter().map(|&topic| topic.into()).collect();
    Subscription { consumer: consumer.into(), topics, cursors: Vec::new() }
}

pub(crate) async fn publish(broker: &dyn Broker, batch: Vec<Publication>) {
    broker.publisher().await.unwrap().publish(batch).await.unwrap();
}

/// Fetches exactly `count` records.
pub(crate) async fn fetch(consumer: &mut dyn Consumer, count: usize) -> Vec<Record> {
    let mut records = Vec::new();
    while records.len() < count {
        records.extend(consumer.fetch(count - records.len(), 1 << 20).await.unwrap());
    }
    records
}

/// Settles records as if they had been handled.
pub(crate) async fn settle(consumer: &mut dyn Consumer, records: &[Record]) {
    let committed = |record| Committed::by_durable_commit(RecordRef::of(record));
    consumer.settle(&records.iter().map(committed).collect::<Vec<_>>()).await.unwrap();
}

/// Whether a fetch would have to wait.
pub(crate) async fn is_empty(consumer: &mut dyn Consumer) -> bool {
    futures::poll!(pin!(consumer.fetch(1, 1))).is_pending()
}

/// The bodies by key.
pub(crate) fn by_key(records: &[Record]) -> BTreeMap<String, Vec<u64>> {
    let mut by_key = BTreeMap::<String, Vec<u64>>::new();
    for record in records {
        let body = str::from_utf8(&record.body).unwrap().parse().unwrap();
        by_key.entry(record.key.as_deref().unwrap().into()).or_default().push(body);
    }
    by_key
}

/// For each partition the offset behind its last record.
pub(crate) fn cursors(records: &[Record]) -> Vec<(PartitionId, u64)> {
    let mut cursors = BTreeMap::new();
    for record in records {
        let next = cursors.entry(PartitionId::clone(&record.partition)).or_insert(0);
        *next = record.offset.max(*next - u64::from(*next > 0)) + 1;
    }
    cursors.into_iter().collect()
}

pub(crate) async fn what_is_published_is_fetched_in_partition_order(subject: Subject) {
    let broker = &*subject.broker;
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    let batch = publications("t", 100);
    publish(broker, batch[..30].to_vec()).await;
    publish(broker, batch[30..].to_vec()).await;
    let records = fetch(&mut *consumer, 100).await;
    for (key, bodies) in by_key(&records) {
        let n: u64 = key.strip_prefix("key-").unwrap().parse().unwrap();
        assert_eq!(bodies, (0..10).map(|i| n + 10 * i).collect::<Vec<_>>(), "{key}");
    }
}

pub(crate) async fn offsets_rise_densely_from_0(subject: Subject) {
    let broker = &*subject.broker;
    for batch in publications("t", 90).chunks(7) {
        publish(broker, batch.to_vec()).await;
    }
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    let mut next = BTreeMap::new();
    for record in fetch(&mut *consumer, 90).await {
        let next = next.entry(record.partition).or_insert(0);
        assert_eq!(record.offset, *next);
        *next += 1;
    }
    assert!(next.len() > 1, "the keys are on several partitions");
}

pub(crate) async fn one_consumer_fetches_nothing_twice(subject: Subject) {
    let broker = &*subject.broker;
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    publish(broker, publications("t", 50)).await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let records = consumer.fetch(1, 1 << 20).await.unwrap();
        assert_eq!(records.len(), 1);
        assert!(seen.insert((PartitionId::clone(&records[0].partition), records[0].offset)));
    }
    assert!(is_empty(&mut *consumer).await);
}

pub(crate) async fn two_consumers_each_read_all(subject: Subject) {
    let broker = &*subject.broker;
    let mut one = broker.subscribe(subscription("one", &["t", "u"])).await.unwrap();
    let mut two = broker.subscribe(subscription("two", &["u"])).await.unwrap();
    publish(broker, [publications("t", 20), publications("u", 20)].concat()).await;
    assert_eq!(fetch(&mut *one, 40).await.len(), 40);
    let records = fetch(&mut *two, 20).await;
    assert!(records.iter().all(|record| &*record.partition.topic == "u"));
    assert!(is_empty(&mut *one).await && is_empty(&mut *two).await);
}

pub(crate) async fn a_second_subscription_closes_the_first(subject: Subject) {
    let broker = &*subject.broker;
    publish(broker, publications("t", 20)).await;
    let mut first = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    // Part of what was fetched in one go is still to be handed over.
    fetch(&mut *first, 1).await;
    let mut second = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    assert!(matches!(first.fetch(1, 1 << 20).await, Err(BrokerError::Closed(_))));
    assert_eq!(fetch(&mut *second, 20).await.len(), 20);
}

pub(crate) async fn a_waiting_fetch_is_closed_by_a_take_over(subject: Subject) {
    let broker = &*subject.broker;
    let mut first = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    let mut waiting = pin!(first.fetch(1, 1 << 20));
    assert!(futures::poll!(&mut waiting).is_pending());
    let _second = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    assert!(matches!(waiting.await, Err(BrokerError::Closed(_))));
}

pub(crate) async fn a_consumer_reads_on_from_its_cursor(subject: Subject) {
    let broker = &*subject.broker;
    publish(broker, publications("t", 60)).await;
    let mut first = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    let before = fetch(&mut *first, 25).await;
    settle(&mut *first, &before).await;
    let again = Subscription { cursors: cursors(&before), ..subscription("a", &["t"]) };
    let mut second = broker.subscribe(again).await.unwrap();
    assert!(second.lost().is_empty());
    let after = fetch(&mut *second, 35).await;
    let mut all = by_key(&[before, after].concat());
    all.values_mut().for_each(|bodies| bodies.sort_unstable());
    assert_eq!(all.values().flatten().count(), 60);
    assert!(all.values().all(|bodies| bodies.windows(2).all(|pair| pair[1] == pair[0] + 10)));
}

pub(crate) async fn a_cursor_beyond_the_end_is_treated_as_declared(subject: Subject) {
    let broker = &*subject.broker;
    publish(broker, publications("t", 20)).await;
    let mut first = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    let mut cursors = cursors(&fetch(&mut *first, 20).await);
    cursors[0].1 += 1;
    let beyond = Subscription { cursors, ..subscription("a", &["t"]) };
    match (broker.subscribe(beyond).await, subject.features.cursor_beyond_end) {
        (Err(BrokerError::Failed(_)), CursorBeyondEnd::Refused) => {}
        (Ok(mut waits), CursorBeyondEnd::Waited) => assert!(is_empty(&mut *waits).await),
        (Ok(_), declared) => panic!("declared {declared:?}, but it subscribed"),
        (Err(error), declared) => panic!("declared {declared:?}, but: {error}"),
    }
}

pub(crate) async fn what_is_not_settled_is_read_again(subject: Subject) {
    let broker = &*subject.broker;
    let mut first = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    publish(broker, publications("t", 40)).await;
    let records = fetch(&mut *first, 40).await;
    // Only later ones are settled, so nothing below them can be forgotten.
    settle(&mut *first, &records[20..]).await;
    let mut second = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    let again = fetch(&mut *second, 20).await;
    assert!(again.iter().all(|record| record.offset < 20) && second.lost().is_empty());
}

pub(crate) async fn what_another_consumer_settled_is_still_there(subject: Subject) {
    let broker = &*subject.broker;
    let mut one = broker.subscribe(subscription("one", &["t"])).await.unwrap();
    let mut two = broker.subscribe(subscription("two", &["t"])).await.unwrap();
    publish(broker, publications("t", 40)).await;
    let records = fetch(&mut *one, 40).await;
    settle(&mut *one, &records).await;
    assert_eq!(fetch(&mut *two, 40).await.len(), 40);
}

pub(crate) async fn a_fetch_waits_and_is_woken(subject: Subject) {
    let broker = &*subject.broker;
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    let mut waiting = pin!(consumer.fetch(10, 1 << 20));
    assert!(futures::poll!(&mut waiting).is_pending());
    publish(broker, publications("other", 1)).await;
    assert!(futures::poll!(&mut waiting).is_pending(), "that was not for this consumer");
    publish(broker, publications("t", 1)).await;
    assert_eq!(waiting.await.unwrap().len(), 1);
}

pub(crate) async fn a_dropped_fetch_has_taken_nothing(subject: Subject) {
    let broker = &*subject.broker;
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    {
        let mut waiting = pin!(consumer.fetch(10, 1 << 20));
        assert!(futures::poll!(&mut waiting).is_pending());
        publish(broker, publications("t", 30)).await;
    }
    let records = fetch(&mut *consumer, 30).await;
    assert_eq!(by_key(&records).values().flatten().count(), 30);
    assert!(is_empty(&mut *consumer).await);
}

pub(crate) async fn the_limits_of_a_fetch_hold(subject: Subject) {
    let broker = &*subject.broker;
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    let large =
        |n: usize| Publication { body: vec![0; 1000].into(), ..publications("t", n + 1).remove(n) };
    publish(broker, (0..20).map(large).collect()).await;
    let mut fetched = 0;
    while fetched < 10 {
        let records = consumer.fetch(3, 1 << 20).await.unwrap();
        assert!((1..=3).contains(&records.len()));
        fetched += records.len();
    }
    while fetched < 20 {
        let records = consumer.fetch(100, 2500).await.unwrap();
        assert!((1..=2).contains(&records.len()), "two of 1000 bytes and headers fit");
        fetched += records.len();
    }
}

pub(crate) async fn one_larger_record_still_comes(subject: Subject) {
    let broker = &*subject.broker;
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    let large = Publication { body: vec![7; 100_000].into(), ..publication("t", "k", "") };
    publish(broker, vec![large.clone(), publication("t", "k", 1)]).await;
    let records = consumer.fetch(100, 1000).await.unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].body, large.body);
    assert_eq!(fetch(&mut *consumer, 1).await[0].body, "1");
}

pub(crate) async fn keys_headers_and_bodies_come_back(subject: Subject) {
    let broker = &*subject.broker;
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    let bare = Publication {
        key: None,
        headers: Default::default(),
        body: Default::default(),
        ..publication("t", "k", "")
    };
    let empty_key = Publication { key: Some("".into()), ..publication("t", "k", "x") };
    let batch = vec![publication("t", "k", "body"), bare, empty_key];
    publish(broker, batch.clone()).await;
    for (record, sent) in fetch(&mut *consumer, 3).await.iter().zip(&batch) {
        assert_eq!(
            (&record.key, &record.headers, &record.body),
            (&sent.key, &sent.headers, &sent.body)
        );
    }
}

pub(crate) async fn an_empty_batch_is_published(subject: Subject) {
    let broker = &*subject.broker;
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    publish(broker, Vec::new()).await;
    assert!(is_empty(&mut *consumer).await);
}

pub(crate) async fn a_paused_partition_waits_and_the_others_go_on(subject: Subject) {
    let broker = &*subject.broker;
    let mut consumer = broker.subscribe(subscription("a", &["t"])).await.unwrap();
    publish(broker, publications("t", 60)).await;
    let mut all = fetch(&mut *consumer, 10).await;
    let paused = PartitionId::clone(&all[0].partition);
    consumer.pause(&paused);
    publish(broker, publications("t", 60)).await;
    let mut other = broker.subscribe(subscription("b", &["t"])).await.unwrap();
    let is_other = |record: &Record| *record.partition != paused;
    let others = fetch(&mut *other, 120).await.iter().filter(|record| is_other(record)).count();
    let left = others - all.iter().filter(|record| is_other(record)).count();
    let gone_on = fetch(&mut *consumer, left).await;
    assert!(gone_on.iter().all(is_other));
    assert!(is_empty(&mut *consumer).await, "the rest is of the paused partition");
    all.extend(gone_on);
    consumer.resume(&paused);
    all.extend(fetch(&mut *consumer, 120 - all.len()).await);
    let by_key = by_key(&all);
    assert_eq!(by_key.values().flatten().count(), 120);
    for (key, bodies) in by_key {
        let n: u64 = key.strip_prefix("key-").unwrap().parse().unwrap();
        let once = || (0..6).map(|i| n + 10 * i);
        assert_eq!(bodies, once().chain(once()).collect::<Vec<_>>(), "{key}");
    }
}

pub(crate) async fn a_broker_with_room_says_so(subject: Subject) {
    subject.broker.room().await.unwrap();
}

mod memory {
    use super::{CursorBeyondEnd, Features, Subject};
    use crate::broker::memory::MemoryBroker;

    fn subject() -> Subject {
        let features = Features { cursor_beyond_end: CursorBeyondEnd::Waited };
        Subject { broker: Box::new(MemoryBroker::default()), features, _home: Box::new(()) }
    }

    super::broker_conformance!(subject);
}
