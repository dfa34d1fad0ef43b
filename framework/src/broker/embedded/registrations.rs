//! Which consumer takes which topics, and what it has settled.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::frame::Road;
use super::snapshot::ConsumerRow;
use super::topics::{Partition, Topics};
use crate::stream::Ranges;

/// The registered consumers, by name.
#[derive(Debug, Default)]
pub(super) struct Registrations {
    by_name: BTreeMap<Arc<str>, Registration>,
    last_subscription: u64,
}

/// One consumer.
#[derive(Debug, Default)]
struct Registration {
    /// The number of its newest subscription; 0 if it did not come back since the opening.
    subscription: u64,
    /// What it has settled of every partition of its topics, sorted.
    settled: Vec<(Road, Ranges)>,
}

impl Registrations {
    /// A new subscription, which takes over from an earlier one of that name. `from` says for each
    /// partition, sorted, below which offset all is settled. Returns its number.
    pub(super) fn subscribe(&mut self, name: &Arc<str>, from: &[(Road, u64)]) -> u64 {
        self.last_subscription += 1;
        let subscription = self.last_subscription;
        let settled = from.iter().map(|&(road, from)| (road, below(from))).collect();
        self.by_name.insert(Arc::clone(name), Registration { subscription, settled });
        subscription
    }

    /// The subscription has ended: its consumer is registered still, and does not read.
    pub(super) fn leave(&mut self, name: &str, subscription: u64) {
        if let Some(found) = self.by_name.get_mut(name)
            && found.subscription == subscription
        {
            found.subscription = 0;
        }
    }

    /// Whether a consumer reads now; `None` if it is not registered.
    pub(super) fn is_here(&self, name: &str) -> Option<bool> {
        self.by_name.get(name).map(|found| found.subscription > 0)
    }

    /// Forgets a consumer.
    pub(super) fn forget(&mut self, name: &str) {
        self.by_name.remove(name);
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_name.keys()
    }

    /// Puts a registration back from a snapshot.
    pub(super) fn restore(&mut self, row: &ConsumerRow) {
        let road = |&(topic, partition, from)| (Road { topic, partition }, below(from));
        let mut settled: Vec<_> = row.settled.iter().map(road).collect();
        settled.sort_by_key(|&(road, _)| road);
        self.by_name.insert(Arc::clone(&row.name), Registration { subscription: 0, settled });
    }

    /// As rows of a snapshot.
    pub(super) fn rows(&self, topics: &Topics) -> Vec<ConsumerRow> {
        let row = |(name, registration): (&Arc<str>, &Registration)| {
            let settled = registration.settled.iter();
            let settled =
                settled.map(|(road, s)| (road.topic, road.partition, through(*road, s, topics)));
            ConsumerRow { name: Arc::clone(name), settled: settled.collect() }
        };
        self.by_name.iter().map(row).collect()
    }

    /// Below which offset of each partition a consumer has settled all; `None` if it is not
    /// registered.
    pub(super) fn settled(&self, name: &str, topics: &Topics) -> Option<Vec<(Road, u64)>> {
        let settled = self.by_name.get(name)?.settled.iter();
        Some(settled.map(|(road, settled)| (*road, through(*road, settled, topics))).collect())
    }

    /// Keeps everything for a consumer that the broker has, as if it had settled nothing.
    pub(super) fn unsettle(&mut self, name: &str) {
        if let Some(registration) = self.by_name.get_mut(name) {
            registration.settled.iter_mut().for_each(|(_, settled)| *settled = Ranges::default());
        }
    }

    /// Whether that subscription is its consumer's newest.
    pub(super) fn is_current(&self, name: &str, subscription: u64) -> bool {
        self.by_name.get(name).is_some_and(|found| found.subscription == subscription)
    }

    /// Notes offsets `first..=last` of the consumer's partition number `index` as settled.
    pub(super) fn settle(&mut self, name: &str, index: usize, first: u64, last: u64) {
        if let Some(registration) = self.by_name.get_mut(name)
            && let Some((_, settled)) = registration.settled.get_mut(index)
        {
            settled.insert_run(first, last);
        }
    }

    /// How many records a consumer has not settled.
    pub(super) fn lag(&self, name: &str, topics: &Topics) -> Option<u64> {
        let settled = self.by_name.get(name)?.settled.iter();
        Some(settled.map(|(road, settled)| behind(*road, settled, topics)).sum())
    }

    /// How far each consumer has come.
    pub(super) fn readings<'a>(&'a self, topics: &Topics) -> impl Iterator<Item = Reading<'a>> {
        self.by_name.iter().map(|(name, registration)| Reading {
            name,
            is_here: registration.subscription > 0,
            parts: registration.settled.iter().map(|row| part(row, topics)).collect(),
        })
    }

    /// Whether anybody is registered for a topic.
    pub(super) fn has_topic(&self, topic: u32) -> bool {
        let takes = |registration: &Registration| {
            let settled = &registration.settled;
            let after = settled.partition_point(|(road, _)| road.topic < topic);
            settled.get(after).is_some_and(|(road, _)| road.topic == topic)
        };
        self.by_name.values().any(takes)
    }

    /// The consumer that holds back the oldest frame, and that frame's sequence.
    pub(super) fn furthest_behind(&self, topics: &Topics) -> Option<(&Arc<str>, u64)> {
        let first = |(road, settled): &(Road, Ranges)| first_frame(*road, settled, topics);
        let oldest = |(name, registration): (_, &Registration)| {
            Some((name, registration.settled.iter().filter_map(first).min()?))
        };
        self.by_name.iter().filter_map(oldest).min_by_key(|&(_, frame)| frame)
    }
}

/// How far a consumer has come.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) name: &'a Arc<str>,
    /// It has subscribed since the opening.
    pub(super) is_here: bool,
    pub(super) parts: Vec<Part>,
}

/// How far it has come in a partition.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) road: Road,
    /// Records that it has not settled.
    pub(super) behind: u64,
    /// The sequence of the frame with the first of them that is there.
    pub(super) first_frame: Option<u64>,
}

fn part((road, settled): &(Road, Ranges), topics: &Topics) -> Part {
    let (behind, first_frame) =
        (behind(*road, settled, topics), first_frame(*road, settled, topics));
    Part { road: *road, behind, first_frame }
}

/// How many records of a partition are not settled.
fn behind(road: Road, settled: &Ranges, topics: &Topics) -> u64 {
    let Some(partition) = topics.partition(road) else { return 0 };
    let first = partition.first();
    partition.end.saturating_sub(first) - settled.count_from(first)
}

/// The frame with the first of them.
fn first_frame(road: Road, settled: &Ranges, topics: &Topics) -> Option<u64> {
    let partition = topics.partition(road)?;
    // What is gone was settled, or could not be had when the consumer subscribed.
    partition.frame_of(settled.next_missing(partition.first()))
}

/// Below which offset of a partition all is settled. What the broker had not any more when the
/// consumer came counts once the consumer has settled something behind it: its store had passed it
/// by then. So this is never above what the store knows to be done.
fn through(road: Road, settled: &Ranges, topics: &Topics) -> u64 {
    let first = topics.partition(road).map_or(0, Partition::first);
    let next = settled.next_missing(first);
    if next > first { next } else { settled.next_missing(0) }
}

/// All offsets below `end`.
fn below(end: u64) -> Ranges {
    let mut settled = Ranges::default();
    if let Some(last) = end.checked_sub(1) {
        settled.insert_run(0, last);
    }
    settled
}
