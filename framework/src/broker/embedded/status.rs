//! What the broker's index says of its topics, consumers and segments.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::options::EmbeddedOptions;
use super::registrations::Reading;
use super::shared::State;
use super::topics::Topic;
use crate::broker::status::{BrokerStatus, ConsumerStatus, DiskStatus, ReaderStatus, TopicStatus};

/// Looks all of it up at one moment. The work is as much as there are topics, consumers, partitions
/// and live segments.
pub(super) fn status(state: &State, options: &EmbeddedOptions, at_ms: u64) -> BrokerStatus {
    let readings: Vec<Reading<'_>> = state.registrations.readings(&state.topics).collect();
    let consumers: Vec<_> = readings.iter().map(|reading| consumer(state, reading)).collect();
    let most = consumers.iter().filter(|consumer| consumer.holds_bytes > 0);
    let most = most.max_by_key(|consumer| consumer.holds_bytes);
    let bytes = state.segments.bytes_by_topic();
    let topics = state.topics.iter();
    BrokerStatus {
        at_ms,
        disk: DiskStatus {
            bytes: state.segments.live_bytes(),
            bytes_max: Some(options.disk_bytes_max),
            held_by: most.map(|consumer| Arc::clone(&consumer.consumer)),
            held_bytes: most.map_or(0, |consumer| consumer.holds_bytes),
        },
        topics: topics
            .map(|(number, topic)| {
                let readers = readings.iter().filter_map(|reading| reader(state, reading, number));
                let readers: Vec<ReaderStatus> = readers.collect();
                let unread = readers.is_empty().then_some(options.unregistered_bytes_max);
                TopicStatus {
                    kept_unread_bytes: unread,
                    dropped: unread.map_or(0, |_| topic.partitions.iter().map(|p| p.first()).sum()),
                    readers,
                    ..one(state, topic, number, &bytes)
                }
            })
            .collect(),
        consumers,
    }
}

fn one(state: &State, topic: &Topic, number: u32, bytes: &BTreeMap<u32, u64>) -> TopicStatus {
    let frames = topic.partitions.iter().filter_map(|p| p.frame_of(p.first()));
    TopicStatus {
        topic: Arc::clone(&topic.name),
        partitions: u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX),
        records: topic.partitions.iter().map(|p| p.end.saturating_sub(p.first())).sum(),
        bytes: bytes.get(&number).copied().unwrap_or(0),
        oldest_ms: frames.min().and_then(|frame| state.frames.time_ms(frame)),
        ..TopicStatus::default()
    }
}

fn reader(state: &State, reading: &Reading<'_>, topic: u32) -> Option<ReaderStatus> {
    let mut parts = reading.parts.iter().filter(|part| part.road.topic == topic).peekable();
    parts.peek()?;
    let (mut behind, mut first) = (0, None::<u64>);
    for part in parts {
        behind += part.behind;
        first = first.into_iter().chain(part.first_frame).min();
    }
    let waits_since_ms = first.and_then(|frame| state.frames.time_ms(frame));
    Some(ReaderStatus { consumer: Arc::clone(reading.name), behind, waits_since_ms })
}

fn consumer(state: &State, reading: &Reading<'_>) -> ConsumerStatus {
    let first = reading.parts.iter().filter_map(|part| part.first_frame).min();
    ConsumerStatus {
        consumer: Arc::clone(reading.name),
        is_here: reading.is_here,
        behind: reading.parts.iter().map(|part| part.behind).sum(),
        holds_bytes: first.map_or(0, |frame| state.segments.bytes_from(frame)),
        waits_since_ms: first.and_then(|frame| state.frames.time_ms(frame)),
    }
}
