//! A killed process leaves what it had written: a copy of the directory, taken between two
//! operations, is opened as the next process would find it.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::{EmbeddedOptions, open, small};
use crate::broker::{Broker, Publication, Subscription};
use crate::stream::PartitionId;
use crate::testing::broker_conformance::{fetch, publication, publish, settle, subscription};

pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish { topic: usize, count: usize, bytes: usize },
    Fetch { consumer: usize, count: usize },
    Settle { consumer: usize },
    Subscribe { consumer: usize },
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..2usize, 1..15usize, 0..3000usize)
            .prop_map(|(topic, count, bytes)| Step::Publish { topic, count, bytes }),
        3 => (0..2usize, 1..40usize).prop_map(|(consumer, count)| Step::Fetch { consumer, count }),
        3 => (0..2usize).prop_map(|consumer| Step::Settle { consumer }),
        1 => (0..2usize).prop_map(|consumer| Step::Subscribe { consumer }),
        1 => Just(Step::Kill),
    ]
}

const TOPICS: [&str; 2] = ["t", "u"];
/// The first takes both topics, the second one.
const CONSUMERS: [(&str, &[&str]); 2] = [("a", &TOPICS), ("b", &["u"])];

/// What must be true of the broker.
#[derive(Default)]
struct Model {
    /// The bodies acknowledged, by topic, in their order (each topic has one key).
    acknowledged: [Vec<String>; 2],
    /// Per consumer: by partition, the offset below which all is committed in its store.
    cursors: [BTreeMap<PartitionId, u64>; 2],
}

impl Model {
    fn subscription(&self, consumer: usize) -> Subscription {
        let (name, topics) = CONSUMERS[consumer];
        let cursors = self.cursors[consumer].clone().into_iter().collect();
        Subscription { cursors, ..subscription(name, topics) }
    }

    /// How much of a topic a consumer has committed.
    fn committed(&self, consumer: usize, topic: &str) -> usize {
        let cursors = self.cursors[consumer].iter().filter(|(id, _)| &*id.topic == topic);
        cursors.map(|(_, &offset)| offset as usize).sum()
    }

    /// Reads all from the cursors on, and compares.
    async fn check(&self, broker: &dyn Broker) {
        for (consumer, (_, topics)) in CONSUMERS.iter().enumerate() {
            let mut reading = broker.subscribe(self.subscription(consumer)).await.unwrap();
            assert!(reading.lost().is_empty(), "lost {:?}", reading.lost());
            let all = TOPICS.iter().zip(&self.acknowledged);
            let rest: Vec<_> = all
                .filter(|(topic, _)| topics.contains(topic))
                .map(|(topic, bodies)| (topic, &bodies[self.committed(consumer, topic)..]))
                .collect();
            let count = rest.iter().map(|(_, bodies)| bodies.len()).sum();
            let records = fetch(&mut *reading, count).await;
            for (topic, bodies) in rest {
                let of_topic = records.iter().filter(|record| &*record.partition.topic == *topic);
                let read = of_topic.map(|record| str::from_utf8(&record.body).unwrap());
                assert!(read.eq(bodies), "{topic} is not what was acknowledged");
            }
        }
    }
}

async fn play(steps: Vec<Step>, cache_bytes_max: u64) {
    let options = EmbeddedOptions { cache_bytes_max, unregistered_bytes_max: 0, ..small() };
    let mut homes = vec![TempDir::new().unwrap()];
    let mut broker = open(homes[0].path(), options.clone());
    let mut model = Model::default();
    let mut consumers = [None, None];
    let mut fetched = [Vec::new(), Vec::new()];
    let (mut at, mut n) = ([BTreeMap::new(), BTreeMap::new()], 0);
    for step in steps {
        match step {
            Step::Publish { topic, count, bytes } => {
                let body = |i| format!("{}-{}", n + i, "x".repeat(bytes));
                let batch: Vec<Publication> =
                    (0..count).map(|i| publication(TOPICS[topic], "k", body(i))).collect();
                publish(&broker, batch).await;
                model.acknowledged[topic].extend((0..count).map(body));
                n += count;
            }
            Step::Fetch { consumer, count } => {
                let Some(reading) = &mut consumers[consumer] else { continue };
                let reading: &mut Box<dyn crate::broker::Consumer> = reading;
                let topics = TOPICS.iter().zip(&model.acknowledged);
                let there: u64 = topics
                    .filter(|(topic, _)| CONSUMERS[consumer].1.contains(topic))
                    .map(|(_, bodies)| bodies.len() as u64)
                    .sum();
                let at: &mut BTreeMap<PartitionId, u64> = &mut at[consumer];
                if at.values().sum::<u64>() < there {
                    let records = reading.fetch(count, 1 << 20).await.unwrap();
                    for record in &records {
                        at.insert(PartitionId::clone(&record.partition), record.offset + 1);
                    }
                    fetched[consumer].extend(records);
                }
            }
            Step::Settle { consumer } => {
                let Some(reading) = &mut consumers[consumer] else { continue };
                // The store commits first, then the broker may forget.
                model.cursors[consumer] = at[consumer].clone();
                settle(&mut **reading, &fetched[consumer]).await;
                fetched[consumer].clear();
            }
            Step::Subscribe { consumer } => {
                let subscription = model.subscription(consumer);
                consumers[consumer] = Some(broker.subscribe(subscription).await.unwrap());
                at[consumer] = model.cursors[consumer].clone();
                fetched[consumer].clear();
            }
            Step::Kill => {
                // A process dies at one moment; copying takes longer, so nothing may move.
                super::writer_is_idle(&broker).await;
                let copied = TempDir::new().unwrap();
                copy(homes.last().unwrap().path(), copied.path());
                consumers = [None, None];
                fetched = [Vec::new(), Vec::new()];
                broker = open(copied.path(), options.clone());
                homes.push(copied);
                model.check(&broker).await;
                at = model.cursors.clone();
                for (consumer, reading) in consumers.iter_mut().enumerate() {
                    let subscription = model.subscription(consumer);
                    *reading = Some(broker.subscribe(subscription).await.unwrap());
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn nothing_acknowledged_is_lost_when_the_process_is_killed(
        steps in prop::collection::vec(step(), 1..60),
        cache_bytes_max in prop_oneof![Just(0u64), Just(20_000), Just(1 << 20)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        // Both consumers are registered before anything is published, so that all is kept.
        let register = [Step::Subscribe { consumer: 0 }, Step::Subscribe { consumer: 1 }];
        let steps = register.into_iter().chain(steps).chain([Step::Kill]).collect();
        runtime.block_on(play(steps, cache_bytes_max));
    }
}
