//! The work of a turn.

use std::collections::{BTreeMap, VecDeque};

use super::event::{Incoming, Records};
use crate::ids::{HandlerIx, LaneNo, PartitionIx, RunId};

/// Pending work, in order.
#[derive(Debug, Default)]
pub(crate) struct Work {
    batches: VecDeque<Records>,
    /// The next record of the first batch.
    next: usize,
    woken: VecDeque<RunId>,
    lanes: VecDeque<LaneNo>,
    /// Lanes whose first delivery's handler was not ready.
    unready: BTreeMap<HandlerIx, Vec<LaneNo>>,
}

/// The next thing to do.
#[derive(Debug)]
pub(crate) enum Next {
    Woken(RunId),
    Lane(LaneNo),
    Record(PartitionIx, Incoming),
}

impl Work {
    pub(crate) fn add_records(&mut self, records: Records) {
        self.batches.push_back(records);
    }

    pub(crate) fn add_woken(&mut self, runs: Vec<RunId>) {
        self.woken.extend(runs);
    }

    pub(crate) fn add_lane(&mut self, lane: LaneNo) {
        self.lanes.push_back(lane);
    }

    pub(crate) fn not_ready(&mut self, handler: HandlerIx, lane: LaneNo) {
        self.unready.entry(handler).or_default().push(lane);
    }

    /// The lanes that waited for a handler.
    pub(crate) fn ready(&mut self, handler: HandlerIx) -> Vec<LaneNo> {
        self.unready.remove(&handler).unwrap_or_default()
    }

    /// Takes the next thing to do: woken calls first, then lanes, then new records.
    pub(crate) fn next(&mut self) -> Option<Next> {
        if let Some(run) = self.woken.pop_front() {
            return Some(Next::Woken(run));
        }
        if let Some(lane) = self.lanes.pop_front() {
            return Some(Next::Lane(lane));
        }
        let batch = self.batches.front_mut()?;
        let record = batch.records.get_mut(self.next).cloned();
        let next = record.map(|record| Next::Record(batch.partition, record));
        self.next += 1;
        if self.next >= batch.records.len() {
            self.next = 0;
            self.batches.pop_front();
        }
        next
    }

    /// The records that come next.
    pub(crate) fn ahead(&self) -> &[Incoming] {
        let batch = self.batches.front();
        batch.and_then(|batch| batch.records.get(self.next..)).unwrap_or_default()
    }

    /// Returns whether nothing is to be done.
    pub(crate) fn is_empty(&self) -> bool {
        let has_work = !self.woken.is_empty() || !self.lanes.is_empty();
        !has_work && self.batches.is_empty()
    }
}
