//! Lanes: the deliveries of one component and key, one at a time and in order, with the key's states.

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::ops::{Index, IndexMut};

use hashbrown::HashTable;

use super::calls::{Change, Decoded, Outcome, StateIn, StatesIn};
use super::mutants::{self, Mutant};
use crate::hash::Hashing;
use crate::ids::{ComponentIx, DeliveryId, LaneNo, NameNo};
use crate::table::frame::Frame;
use crate::table::state::{StateKey, StateRow, StateTable};

/// One lane. An open one has no box: nothing of it runs, waits or is read.
#[derive(Debug)]
pub(crate) struct Lane {
    component: ComponentIx,
    key: Option<Box<str>>,
    /// The lane of a single delivery.
    is_own: bool,
    states: Vec<StateSlot>,
    slow: Option<Box<Slow>>,
}

/// A state of a lane's key.
#[derive(Debug, Default)]
struct StateSlot {
    known: Known,
    schema: u32,
    json: Vec<u8>,
    /// The value as the last call left it; only beside bytes that say the same.
    decoded: Option<Decoded>,
}

/// Knowledge of a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Known {
    /// The store may have it.
    #[default]
    Cold,
    Absent,
    Here,
}

/// A lane that is not open.
#[derive(Debug, Default)]
pub(crate) struct Slow {
    /// Its deliveries, in order; a dead letter that it has gone on without is not among them.
    pub(crate) queue: BTreeSet<DeliveryId>,
    pub(crate) running: Option<DeliveryId>,
    /// States that are being read.
    pub(crate) loading: usize,
    /// Queued for a look.
    pub(crate) is_queued: bool,
}

impl Lane {
    /// Returns whether a delivery that comes may be called at once.
    pub(crate) fn is_open(&self) -> bool {
        self.slow.is_none() && self.states.iter().all(|state| state.known != Known::Cold)
    }

    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    pub(crate) fn component(&self) -> ComponentIx {
        self.component
    }

    pub(crate) fn slow(&self) -> Option<&Slow> {
        self.slow.as_deref()
    }

    pub(crate) fn close(&mut self) -> &mut Slow {
        self.slow.get_or_insert_default()
    }

    /// Goes on without a dead letter. One that has a lane of its own stays in it.
    pub(crate) fn skip(&mut self, id: DeliveryId) {
        if !self.is_own {
            self.close().queue.remove(&id);
        }
    }

    /// Opens it again if nothing of it runs, waits or is read.
    fn calm(&mut self) -> bool {
        let is_calm = |slow: &Slow| {
            slow.queue.is_empty() && slow.running.is_none() && slow.loading == 0 && !slow.is_queued
        };
        if self.slow.as_deref().is_some_and(is_calm) {
            self.slow = None;
        }
        self.slow.is_none()
    }

    /// The places of states that are to be read before a call.
    pub(crate) fn cold(&self) -> Vec<usize> {
        let states = self.states.iter().enumerate();
        states.filter(|(_, state)| state.known == Known::Cold).map(|(at, _)| at).collect()
    }

    /// A state has been read.
    pub(crate) fn loaded(&mut self, at: usize, row: Option<StateRow<'_>>) {
        let Some(state) = self.states.get_mut(at) else { return };
        state.known = Known::Absent;
        if let Some(row) = row {
            state.json.clear();
            state.json.extend_from_slice(row.json);
            (state.known, state.schema) = (Known::Here, row.schema);
        }
    }

    /// Lends the states at these places, in that order.
    pub(crate) fn lend(&mut self, places: &[usize]) -> StatesIn {
        let lent = places.iter().map(|at| match self.states.get_mut(*at) {
            Some(state) if state.known == Known::Here => match state.decoded.take() {
                Some(decoded) => StateIn::Decoded(decoded),
                None => StateIn::Stored { schema: state.schema, json: state.json.clone() },
            },
            _ => StateIn::Absent,
        });
        lent.collect()
    }

    /// States of a call that never ran come back as they went.
    pub(crate) fn take_back(&mut self, lent: StatesIn, places: &[usize]) {
        for (state, at) in lent.into_iter().zip(places) {
            if let (StateIn::Decoded(decoded), Some(slot)) = (state, self.states.get_mut(*at)) {
                slot.decoded = Some(decoded);
            }
        }
    }

    /// Takes the states of an outcome; those that have changed go into the frame.
    pub(crate) fn accept(
        &mut self,
        outcome: &mut Outcome,
        places: &[usize],
        names: &[NameNo],
        frame: &mut Frame,
    ) {
        let Some(key) = self.key.as_deref() else { return };
        let states = std::mem::take(&mut outcome.states);
        for (out, at) in states.into_iter().zip(places) {
            let (Some(slot), Some(&state)) = (self.states.get_mut(*at), names.get(*at)) else {
                continue;
            };
            slot.decoded = out.decoded;
            let row_key = StateKey { state, key };
            match out.change {
                Change::Same => {}
                Change::Put { schema, json } => {
                    let json = outcome.part(&json);
                    let is_same = slot.known == Known::Here && slot.schema == schema;
                    if is_same && slot.json == json {
                        continue;
                    }
                    frame.put::<StateTable>(&row_key, &StateRow { schema, json });
                    if mutants::holds(Mutant::OldBytesStay) {
                        slot.json.clear();
                        slot.json.extend_from_slice(json);
                    }
                    (slot.known, slot.schema) = (Known::Here, schema);
                }
                Change::Delete => {
                    if slot.known != Known::Absent {
                        frame.remove::<StateTable>(&row_key);
                    }
                    slot.json.clear();
                    (slot.known, slot.decoded) = (Known::Absent, None);
                }
            }
        }
    }
}

/// All lanes, by component and key.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    index: HashTable<LaneNo>,
    /// Lanes of single deliveries that are done.
    free: Vec<LaneNo>,
    hashing: Hashing,
    /// Hashes of the keys of which the store may have states.
    stored: hashbrown::HashSet<u64, Hashing>,
}

impl Lanes {
    /// The store has a state of that key.
    pub(crate) fn recover(&mut self, key: &str) {
        self.stored.insert(self.hashing.hash_one(key));
    }

    /// The lane of a component and key, found or made.
    pub(crate) fn find(&mut self, component: ComponentIx, key: &str, states: usize) -> LaneNo {
        let hashing = self.hashing;
        let hash = hashing.hash_one((component, key));
        let lanes = &self.lanes;
        let is_same = |no: &LaneNo| {
            let lane = lanes.get(no.0 as usize);
            lane.is_some_and(|lane| lane.component == component && lane.key() == Some(key))
        };
        if let Some(no) = self.index.find(hash, is_same) {
            return *no;
        }
        let may_be_stored = self.stored.contains(&hashing.hash_one(key));
        let known = if may_be_stored { Known::Cold } else { Known::Absent };
        let slot = || StateSlot { known, ..StateSlot::default() };
        let states = (0..states).map(|_| slot()).collect();
        let no =
            self.push(Lane { component, key: Some(key.into()), is_own: false, states, slow: None });
        let lanes = &self.lanes;
        self.index.insert_unique(hash, no, |no| {
            lanes.get(no.0 as usize).map_or(0, |lane| {
                hashing.hash_one((lane.component, lane.key().unwrap_or_default()))
            })
        });
        no
    }

    /// A lane of its own for a single delivery.
    pub(crate) fn own(&mut self, component: ComponentIx, key: Option<&str>) -> LaneNo {
        let (key, is_own) = (key.map(Box::from), true);
        let lane = Lane { component, key, is_own, states: Vec::new(), slow: None };
        let Some(no) = self.free.pop() else { return self.push(lane) };
        self[no] = lane;
        no
    }

    fn push(&mut self, lane: Lane) -> LaneNo {
        self.lanes.push(lane);
        LaneNo(u32::try_from(self.lanes.len() - 1).unwrap_or(u32::MAX))
    }

    /// Opens a lane again if it may.
    pub(crate) fn calm(&mut self, no: LaneNo) {
        let lane = &mut self[no];
        if lane.slow.is_some() && lane.calm() && lane.is_own {
            self.free.push(no);
        }
    }
}

impl Index<LaneNo> for Lanes {
    type Output = Lane;

    #[allow(clippy::indexing_slicing, reason = "a LaneNo is made here alone, and no lane leaves")]
    fn index(&self, no: LaneNo) -> &Lane {
        &self.lanes[no.0 as usize]
    }
}

impl IndexMut<LaneNo> for Lanes {
    #[allow(clippy::indexing_slicing, reason = "a LaneNo is made here alone, and no lane leaves")]
    fn index_mut(&mut self, no: LaneNo) -> &mut Lane {
        &mut self.lanes[no.0 as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::super::calls::StateOut;
    use super::*;

    const COMPONENT: ComponentIx = ComponentIx(0);

    fn put(json: &[u8]) -> Outcome {
        let mut outcome = Outcome::default();
        let json = outcome.put(json);
        let change = Change::Put { schema: 1, json };
        outcome.states.push(StateOut { change, decoded: Some(Decoded::new(Box::new(1_u8))) });
        outcome
    }

    #[test]
    fn a_state_is_written_when_it_changes_and_lent_as_it_was_left() {
        let (mut lanes, mut frame) = (Lanes::default(), Frame::default());
        let no = lanes.find(COMPONENT, "ada", 1);
        assert_eq!(lanes.find(COMPONENT, "ada", 1), no);
        assert_ne!(lanes.find(ComponentIx(1), "ada", 1), no);
        let lane = &mut lanes[no];
        assert!(lane.is_open());
        assert!(matches!(lane.lend(&[0])[..], [StateIn::Absent]));
        for expected in [1, 1] {
            lane.accept(&mut put(b"7"), &[0], &[NameNo(9)], &mut frame);
            assert_eq!(frame.view().rows().count(), expected, "the same value is no row");
            let lent = lane.lend(&[0]);
            assert!(matches!(lent[..], [StateIn::Decoded(_)]));
            lane.take_back(lent, &[0]);
        }
        // A call that failed has thrown the value away; its bytes are there.
        drop(lane.lend(&[0]));
        assert!(matches!(&lane.lend(&[0])[..], [StateIn::Stored { json, .. }] if json == b"7"));
    }

    #[test]
    fn a_key_that_the_store_may_have_is_read_before_a_call() {
        let mut lanes = Lanes::default();
        lanes.recover("ada");
        let no = lanes.find(COMPONENT, "ada", 2);
        assert!(!lanes[no].is_open());
        assert_eq!(lanes[no].cold(), [0, 1]);
        lanes[no].loaded(0, Some(StateRow { schema: 3, json: b"{}" }));
        lanes[no].loaded(1, None);
        assert!(lanes[no].is_open());
        let lent = lanes[no].lend(&[1, 0]);
        assert!(matches!(&lent[..], [StateIn::Absent, StateIn::Stored { schema: 3, .. }]));
    }

    #[test]
    fn a_single_delivery_has_a_lane_as_long_as_it_needs_one() {
        let mut lanes = Lanes::default();
        let no = lanes.own(COMPONENT, None);
        lanes[no].close().queue.insert(DeliveryId(1));
        lanes.calm(no);
        assert_ne!(lanes.own(COMPONENT, None), no);
        lanes[no].close().queue.clear();
        lanes.calm(no);
        assert_eq!(lanes.own(COMPONENT, None), no);
    }
}
