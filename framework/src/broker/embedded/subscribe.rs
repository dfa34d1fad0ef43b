//! Registering a consumer: from where it reads each partition, and what it takes over.

use std::collections::VecDeque;
use std::sync::Arc;

use super::consumer::{EmbeddedConsumer, Reading};
use super::error::EmbeddedError;
use super::frame::Road;
use super::handle::Handle;
use super::options::EmbeddedOptions;
use super::shared::State;
use super::writer::Command;
use crate::broker::{BrokerError, Lost, Subscription};
use crate::stream::PartitionId;

/// Registers a consumer, durably, and returns its reading side.
pub(super) async fn subscribe(
    handle: &Arc<Handle>,
    subscription: Subscription,
) -> Result<EmbeddedConsumer, BrokerError> {
    let shared = &handle.shared;
    let changed = shared.changed.subscribe();
    let (number, partitions, lost) = {
        let mut state = shared.running()?;
        let (partitions, lost) = place(&mut state, &subscription, &shared.options)?;
        let cursor = |reading: &Reading| {
            let mut cursors = subscription.cursors.iter();
            let known = cursors.find(|(id, _)| *id == *reading.id);
            (reading.road, known.map_or(0, |&(_, cursor)| cursor))
        };
        let from: Vec<_> = partitions.iter().map(cursor).collect();
        state.registry += 1;
        (state.registrations.subscribe(&subscription.consumer, &from), partitions, lost)
    };
    // The consumer that was taken over may be waiting.
    shared.announce();
    handle.ask(Command::Register).await?;
    let starts = partitions.iter().map(|reading| (Arc::clone(&reading.id), reading.next)).collect();
    Ok(EmbeddedConsumer {
        handle: Arc::clone(handle),
        name: subscription.consumer,
        subscription: number,
        partitions,
        open: VecDeque::new(),
        ahead: VecDeque::new(),
        changed,
        starts,
        lost,
    })
}

/// Where each partition is read from, sorted by road, and what is not there any more.
fn place(
    state: &mut State,
    subscription: &Subscription,
    options: &EmbeddedOptions,
) -> Result<(Vec<Reading>, Vec<Lost>), EmbeddedError> {
    let (mut partitions, mut lost) = (Vec::new(), Vec::new());
    for name in &subscription.topics {
        let (topic, is_new) = state.topics.make(name, options);
        state.registry += u64::from(is_new);
        let Some(found) = state.topics.get(topic) else { continue };
        for (partition, found) in (0..).zip(&found.partitions) {
            let cursor = subscription.cursors.iter().find(|(id, _)| *id == *found.id);
            let next = match cursor {
                Some(&(_, cursor)) if cursor > found.end => {
                    let (partition, end) = (Arc::clone(&found.id), found.end);
                    return Err(EmbeddedError::CursorBeyondEnd { partition, cursor, end });
                }
                Some(&(_, cursor)) if cursor < found.first() => {
                    let (partition, next) = (PartitionId::clone(&found.id), found.first());
                    lost.push(Lost { partition, first: cursor, next });
                    next
                }
                Some(&(_, cursor)) => cursor,
                None => found.first(),
            };
            let (road, id) = (Road { topic, partition }, Arc::clone(&found.id));
            partitions.push(Reading { road, id, next, is_paused: false });
        }
    }
    for (id, cursor) in &subscription.cursors {
        if !partitions.iter().any(|reading| *reading.id == *id) {
            let consumer = &*subscription.consumer;
            tracing::warn!(target: "endwise::broker", consumer, partition = %id, cursor, "this broker has no such partition");
        }
    }
    partitions.sort_by_key(|reading| reading.road);
    partitions.dedup_by_key(|reading| reading.road);
    Ok((partitions, lost))
}
