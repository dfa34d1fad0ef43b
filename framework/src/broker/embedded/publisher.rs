//! The publishing side: encodes a batch, and waits until it is durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::error::EmbeddedError;
use super::frame::{self, Road, Run, Unnumbered};
use super::handle::Handle;
use super::writer::Command;
use crate::broker::{BrokerError, Publication, Publisher};

/// A batch of more bytes becomes several frames, so that a reader need not hold one of any size.
const FRAME_BYTES_MAX: usize = 8 << 20;

/// Bytes of a record, at most: key, headers and body. The journal's frame has room for it.
pub(super) const RECORD_BYTES_MAX: usize = 64 << 20;

pub(super) struct EmbeddedPublisher {
    handle: Arc<Handle>,
    /// Number and partitions of the topics met so far. Neither ever changes.
    topics: BTreeMap<Arc<str>, (u32, u32)>,
}

impl EmbeddedPublisher {
    pub(super) fn new(handle: Arc<Handle>) -> Self {
        EmbeddedPublisher { handle, topics: BTreeMap::new() }
    }

    /// Number and partitions of a topic, made if it does not exist.
    fn topic(&mut self, name: &Arc<str>) -> Result<(u32, u32), BrokerError> {
        if let Some(&known) = self.topics.get(name) {
            return Ok(known);
        }
        let shared = &self.handle.shared;
        let mut state = shared.running()?;
        let (number, is_new) = state.topics.make(name, &shared.options);
        state.registry += u64::from(is_new);
        let partitions = state.topics.get(number).map_or(1, |topic| topic.partitions.len() as u32);
        drop(state);
        self.topics.insert(Arc::clone(name), (number, partitions));
        Ok((number, partitions))
    }

    /// Which run of a frame each publication belongs to, for as many as one frame takes.
    fn plan(&mut self, batch: &[Publication]) -> Result<(Vec<Run>, Vec<u32>), BrokerError> {
        let (mut runs, mut run_of, mut bytes) = (Vec::<Run>::new(), Vec::new(), 0);
        let mut last: Option<(&Arc<str>, (u32, u32))> = None;
        for publication in batch {
            let size = frame::size(publication);
            if size > RECORD_BYTES_MAX {
                let (bytes, max) = (size as u64, RECORD_BYTES_MAX as u64);
                return Err(EmbeddedError::TooLarge { bytes, max }.into());
            }
            bytes += size;
            if bytes > FRAME_BYTES_MAX && !run_of.is_empty() {
                break;
            }
            let name = &publication.topic;
            let (topic, partitions) = match last {
                Some((known, found)) if Arc::ptr_eq(known, name) => found,
                _ => self.topic(name)?,
            };
            last = Some((name, (topic, partitions)));
            let road = Road { topic, partition: publication.slot.partition(partitions) };
            let index = runs.iter().position(|run| run.road == road).unwrap_or_else(|| {
                runs.push(Run { road, first: 0, count: 0, bytes: 0 });
                runs.len() - 1
            });
            if let Some(run) = runs.get_mut(index) {
                run.count += 1;
                run.bytes += size as u32;
            }
            run_of.push(index as u32);
        }
        Ok((runs, run_of))
    }
}

#[async_trait]
impl Publisher for EmbeddedPublisher {
    async fn publish(&mut self, batch: Vec<Publication>) -> Result<(), BrokerError> {
        let mut rest = batch.as_slice();
        while !rest.is_empty() {
            let (runs, run_of) = self.plan(rest)?;
            let (now, later) = rest.split_at_checked(run_of.len()).unwrap_or((rest, &[]));
            let frame = Unnumbered::encode(runs, &run_of, now);
            self.handle.ask(|done| Command::Publish(frame, done)).await?;
            rest = later;
        }
        Ok(())
    }
}
