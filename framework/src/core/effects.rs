//! The effects of handlers: they are called with the states of their key, and what they did goes into
//! the frame.

use super::calls::{Called, Delivery, Outcome};
use super::jobs::{Origin, Tries};
use super::lane::Lanes;
use super::message::Packed;
use super::outbox::Outbox;
use super::plan::Plan;
use super::seams::Hand;
use crate::ids::{HandlerIx, LaneNo, RunId};
use crate::policy::Order;

/// Buffers that are kept for outcomes, and the bytes of the largest.
const SPARE_MAX: usize = 1_024;
const SPARE_BYTES_MAX: usize = 64 << 10;

/// Lanes with their states, and what is sent.
#[derive(Debug)]
pub(crate) struct Effects {
    pub(crate) lanes: Lanes,
    pub(crate) outbox: Outbox,
    spare: Vec<Vec<u8>>,
}

impl Effects {
    /// No lanes; the last sequences of so many keys are remembered.
    pub(crate) fn new(prev_keys: usize) -> Self {
        let (lanes, outbox) = (Lanes::default(), Outbox::new(prev_keys));
        Effects { lanes, outbox, spare: Vec::new() }
    }

    /// The lane of a handler's delivery; `None` for one that waits for no other.
    pub(crate) fn lane_of(
        &mut self,
        handler: HandlerIx,
        key: Option<&str>,
        plan: &Plan,
    ) -> Option<LaneNo> {
        let of = &plan[handler];
        let key = key.filter(|_| of.order == Order::Key)?;
        Some(self.lanes.find(of.component, key, plan[of.component].len()))
    }

    /// Calls a handler, and polls it once.
    pub(crate) fn call(
        &mut self,
        run: RunId,
        origin: Origin,
        lane: Option<LaneNo>,
        message: Packed,
        tries: Option<Tries>,
        hand: &mut Hand<'_, '_>,
    ) -> Called {
        let places = &hand.plan[origin.handler].states;
        let delivery = Delivery {
            position: origin.position,
            message,
            attempt: tries.map_or(0, |tries| tries.attempts) + 1,
            late: tries.is_some_and(|tries| tries.late),
            states: lane.map_or_else(Default::default, |lane| self.lanes[lane].lend(places)),
            buffer: self.spare.pop().unwrap_or_default(),
        };
        hand.seams.calls.call(run, origin.handler, delivery)
    }

    /// An outcome goes into the frame, whole.
    pub(crate) fn accept(
        &mut self,
        origin: Origin,
        lane: Option<LaneNo>,
        mut outcome: Outcome,
        hand: &mut Hand<'_, '_>,
    ) {
        let (of, frame) = (&hand.plan[origin.handler], &mut *hand.seams.frame);
        if let Some(lane) = lane {
            self.lanes[lane].accept(&mut outcome, &of.states, &hand.plan[of.component], frame);
        }
        self.outbox.send(origin.position, of.name, &outcome, hand.now.wall_ms, frame);
        self.recycle(outcome.buffer);
    }

    /// A call that never ran: what it was lent comes back.
    pub(crate) fn take_back(&mut self, lane: LaneNo, delivery: Delivery, places: &[usize]) {
        self.lanes[lane].take_back(delivery.states, places);
        self.recycle(delivery.buffer);
    }

    fn recycle(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < SPARE_MAX && buffer.capacity() <= SPARE_BYTES_MAX {
            buffer.clear();
            self.spare.push(buffer);
        }
    }
}
