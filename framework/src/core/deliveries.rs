//! The life of deliveries: from a record to an outcome in the frame, a stored job, or a dead letter.

use std::borrow::Cow;

use super::action::{Action, Note};
use super::calls::{Begun, Called, Failed};
use super::effects::Effects;
use super::event::{Incoming, StoredRow};
use super::inbox::Done;
use super::jobs::{Job, Jobs, Origin, Stage, Tries};
use super::loading::{Loading, Wanted};
use super::message::Packed;
use super::mutants::{self, Mutant};
use super::positions::{Handlers, Positions};
use super::requests::{Reply, Request};
use super::seams::Hand;
use super::work::Work;
use super::{retry, rows};
use crate::ids::{
    DeliveryId, HandlerIx, LaneNo, LoadId, PartitionIx, Position, RecordRef, RunId, StreamIx,
};
use crate::table::RowError;
use crate::table::delivery::StoredWait;
use crate::table::frame::Frame;
use crate::table::message::MessageTable;
use crate::table::state::StateTable;

/// A run that is longer has those behind it stored, and itself with them.
const SLOW_MS: u64 = 1_000;

/// All deliveries of a shard.
#[derive(Debug)]
pub(crate) struct Deliveries {
    pub(crate) work: Work,
    pub(crate) positions: Positions,
    pub(crate) effects: Effects,
    pub(crate) jobs: Jobs,
    pub(crate) loading: Loading,
    pub(super) seed: u64,
}

impl Deliveries {
    /// One record: admitted, and its handlers called, as far as their lanes are open.
    pub(crate) fn record(
        &mut self,
        partition: PartitionIx,
        stream: StreamIx,
        record: Incoming,
        hand: &mut Hand<'_, '_>,
    ) {
        let place = RecordRef { partition, offset: record.offset };
        let position = Position { stream, sequence: record.sequence };
        let (plan, actions) = (hand.plan, &mut *hand.seams.actions);
        let Some(handlers) = self.positions.admit(position, place, &record, actions) else {
            return;
        };
        let (handlers, mut is_open) = match handlers {
            Handlers::All => (Cow::Borrowed(plan.handlers_of(record.route)), false),
            Handlers::Left(left) => (Cow::Owned(left), true),
        };
        if handlers.is_empty() {
            return self.positions.leave_open(position, place, hand.seams.actions);
        }
        for (at, &handler) in handlers.iter().enumerate() {
            let Incoming { context, digest, route, ref message, .. } = record;
            let origin = Origin { position, handler, route, digest, context };
            let lane = self.effects.lane_of(handler, message.key(), plan);
            let run = self.jobs.next_run();
            let called = match lane {
                Some(lane)
                    if !self.effects.lanes[lane].is_open()
                        && mutants::holds(Mutant::LaneIsAlwaysOpen) =>
                {
                    None
                }
                lane => Some(self.effects.call(run, origin, lane, message.clone(), None, hand)),
            };
            if let Some(Called::Done(outcome)) = called {
                self.effects.accept(origin, lane, outcome, hand);
                if is_open {
                    self.positions.share_ended(position, handler, hand.seams.frame);
                }
                continue;
            }
            if !std::mem::replace(&mut is_open, true) {
                let left = handlers.get(at..).unwrap_or_default();
                let is_part = at > 0 && mutants::holds(Mutant::PartDoneWithoutRow);
                let done = if is_part { Done::InFrame } else { Done::Nothing };
                self.positions.open(position, place, &record, left, done);
            }
            let id = self.queue(origin, lane, message.clone(), hand);
            if let Some(called) = called {
                self.apply(id, run, called, hand);
            }
        }
        if !is_open {
            self.positions.settle(position, place, &record, hand.seams.frame);
        }
    }

    /// A delivery becomes a job, behind the others of its lane.
    fn queue(
        &mut self,
        origin: Origin,
        lane: Option<LaneNo>,
        message: Packed,
        hand: &mut Hand<'_, '_>,
    ) -> DeliveryId {
        let lane = lane.unwrap_or_else(|| {
            self.effects.lanes.own(hand.plan[origin.handler].component, message.key())
        });
        let (since_ms, wait) = (hand.now.wall_ms, StoredWait::Held);
        let id = self.jobs.add(Job {
            origin,
            lane,
            stage: Stage::Ready,
            due_ms: None,
            message: Some(message),
            tries: Tries { attempts: 0, failures: 0, late: false, since_ms, wait },
            is_stored: false,
        });
        self.effects.lanes[lane].close().queue.insert(id);
        self.queue_lane(lane);
        id
    }

    /// Applies the result of a job's call.
    fn apply(&mut self, id: DeliveryId, run: RunId, called: Called, hand: &mut Hand<'_, '_>) {
        let Some(job) = self.jobs.get(id) else { return };
        let (origin, lane, was_running) = (job.origin, job.lane, job.stage == Stage::Running(run));
        match called {
            Called::Pending if was_running => return,
            Called::Pending => {
                let slow = hand.now.mono_ms.saturating_add(SLOW_MS);
                self.jobs.set_stage(id, Stage::Running(run), Some(slow));
                self.effects.lanes[lane].close().running = Some(id);
                return;
            }
            Called::NotReady(delivery) => {
                self.effects.take_back(lane, delivery, &hand.plan[origin.handler].states);
                return self.work.not_ready(origin.handler, lane);
            }
            Called::Done(outcome) => {
                self.effects.accept(origin, Some(lane), outcome, hand);
                self.end(id, hand.seams.frame);
            }
            Called::Failed(failed) => self.failed(id, &failed, hand),
        }
        self.effects.lanes[lane].close().running = None;
        self.queue_lane(lane);
    }

    /// A job is done, or given up for good.
    fn end(&mut self, id: DeliveryId, frame: &mut Frame) {
        let Some(job) = self.jobs.remove(id) else { return };
        self.effects.lanes[job.lane].close().queue.remove(&id);
        if job.is_stored {
            rows::remove(id, job.tries.failures, frame);
        } else {
            self.positions.share_ended(job.origin.position, job.origin.handler, frame);
        }
    }

    fn failed(&mut self, id: DeliveryId, failed: &Failed, hand: &mut Hand<'_, '_>) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        let (now, origin, lane) = (hand.now, job.origin, job.lane);
        let policy = &hand.plan[origin.handler].on_failure;
        let random = retry::random(self.seed, origin.position, job.tries.attempts);
        let wait = retry::failed(&mut job.tries, policy, failed.how, now, random);
        self.jobs.set_stage(id, wait.stage, wait.due_ms);
        self.store(id, hand);
        if let Some(job) = self.jobs.get(id) {
            rows::put_failure(id, job, failed, now.wall_ms, hand.seams.frame);
        }
        if wait.stage == Stage::Skipped
            || (wait.stage == Stage::Dead && !mutants::holds(Mutant::DeadDoesNotClose))
        {
            self.effects.lanes[lane].skip(id);
        }
        let again = wait.due_ms.filter(|_| wait.stage == Stage::Waiting);
        hand.seams.actions.push(Action::Note(Note::Failed {
            handler: origin.handler,
            position: origin.position,
            errors: failed.errors.clone(),
            again_in_ms: again.map(|due| due.saturating_sub(now.mono_ms)),
        }));
    }

    /// Puts the row of a job; one that is not stored yet is stored, and its share has ended.
    fn store(&mut self, id: DeliveryId, hand: &mut Hand<'_, '_>) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        let (frame, origin) = (&mut *hand.seams.frame, job.origin);
        let is_new = !std::mem::replace(&mut job.is_stored, true);
        let key = self.effects.lanes[job.lane].key();
        rows::put_delivery(id, job, key, hand.plan, frame);
        if is_new {
            let message = job.message.clone().unwrap_or_default();
            rows::put_message(id, &origin, &message, hand.plan, frame);
            self.jobs.stored(id, hand.gathering);
            if mutants::holds(Mutant::StoredIsOpen) {
                self.positions.share_ended(origin.position, origin.handler, frame);
            }
        }
    }

    /// Lists a lane to be looked at.
    pub(super) fn queue_lane(&mut self, lane: LaneNo) {
        let slow = self.effects.lanes[lane].close();
        if !std::mem::replace(&mut slow.is_queued, true) {
            self.work.add_lane(lane);
        }
    }

    /// A lane's first delivery runs, if it may.
    pub(crate) fn resume(&mut self, no: LaneNo, hand: &mut Hand<'_, '_>) {
        let lane = &mut self.effects.lanes[no];
        lane.close().is_queued = false;
        let Some(slow) = lane.slow() else { return };
        let (first, running) = (slow.queue.first().copied(), slow.running);
        if let Some(running) = running {
            // Its time was taken when it came to be slow; those that come later are stored too.
            let is_slow = self.jobs.get(running).is_some_and(|job| job.due_ms.is_none());
            let followers = hand.plan.limits.followers;
            return if is_slow {
                self.hold(no, followers, hand)
            };
        }
        if slow.loading > 0 {
            return;
        }
        let Some((id, job)) = first.and_then(|id| Some((id, self.jobs.get(id)?))) else {
            return self.effects.lanes.calm(no);
        };
        match job.stage {
            Stage::Ready => {}
            // Behind a dead letter nothing may fill the memory until somebody comes.
            Stage::Dead => return self.hold(no, 0, hand),
            Stage::Waiting => return self.hold(no, hand.plan.limits.followers, hand),
            Stage::Loading | Stage::Running(_) | Stage::Skipped => return,
        }
        let (origin, tries, message) = (job.origin, job.tries, job.message.clone());
        let lane = &mut self.effects.lanes[no];
        let loads = self.loading.states(no, lane, &hand.plan[lane.component()]);
        if !loads.is_empty() {
            return hand.seams.actions.push(Action::Load(loads));
        }
        let Some(message) = message else {
            self.jobs.set_stage(id, Stage::Loading, None);
            return hand.seams.actions.push(Action::Load(self.loading.message(id)));
        };
        let Origin { position, handler, .. } = origin;
        hand.seams.calls.begin(&[Begun { position, handler }]);
        let run = self.jobs.next_run();
        let called = self.effects.call(run, origin, Some(no), message, Some(tries), hand);
        self.apply(id, run, called, hand);
    }

    /// A row has been read; its lane goes on.
    pub(crate) fn loaded(&mut self, id: LoadId, row: Option<&StoredRow>) -> Result<(), RowError> {
        let Some(wanted) = self.loading.take(id) else { return Ok(()) };
        let no = match wanted {
            Wanted::State(no, at) => {
                let row = row.map(|row| row.read::<StateTable>()).transpose()?;
                self.effects.lanes[no].loaded(at, row);
                self.effects.lanes[no].close().loading -= 1;
                no
            }
            Wanted::Message(id) => {
                let message = row.ok_or(RowError::Missing)?.read::<MessageTable>()?;
                let Some(job) = self.jobs.get_mut(id) else { return Ok(()) };
                let no = job.lane;
                let key = self.effects.lanes[no].key();
                job.message = Some(Packed::of(key, message.headers, message.body));
                self.jobs.set_stage(id, Stage::Ready, None);
                no
            }
        };
        self.queue_lane(no);
        Ok(())
    }

    /// A pending call can go on.
    pub(crate) fn woken(&mut self, run: RunId, hand: &mut Hand<'_, '_>) {
        let Some(id) = self.jobs.running(run) else { return };
        let called = hand.seams.calls.poll(run);
        self.apply(id, run, called, hand);
    }

    pub(crate) fn handler_ready(&mut self, handler: HandlerIx) {
        let lanes = self.work.ready(handler);
        if mutants::holds(Mutant::ReadyIsNotTold) {
            lanes.into_iter().for_each(|lane| self.queue_lane(lane));
        }
    }

    /// Does what the time has come for.
    pub(crate) fn tick(&mut self, hand: &mut Hand<'_, '_>) {
        while let Some(id) = self.jobs.take_due(hand.now.mono_ms) {
            let Some(job) = self.jobs.get_mut(id) else { continue };
            let lane = job.lane;
            match job.stage {
                Stage::Waiting => self.jobs.set_stage(id, Stage::Ready, None),
                Stage::Dead => {
                    job.tries.wait = job.tries.wait.skipped();
                    self.jobs.set_stage(id, Stage::Skipped, None);
                    self.store(id, hand);
                    self.effects.lanes[lane].skip(id);
                    hand.seams.actions.push(Action::Note(Note::Skipped { delivery: id }));
                }
                Stage::Running(_) => self.hold(lane, hand.plan.limits.followers, hand),
                Stage::Ready | Stage::Loading | Stage::Skipped => {}
            }
            self.queue_lane(lane);
        }
    }

    /// Stores what is only in memory of a lane, if more than so many wait in it: what runs too, or it
    /// would come behind them after a crash.
    fn hold(&mut self, no: LaneNo, most: usize, hand: &mut Hand<'_, '_>) {
        let Some(slow) = self.effects.lanes[no].slow() else { return };
        let new = self.jobs.not_stored(&slow.queue);
        if new.len() > most {
            new.into_iter().for_each(|id| self.store(id, hand));
        }
    }

    /// Does what an operator asks.
    pub(crate) fn request(&mut self, request: Request, hand: &mut Hand<'_, '_>) -> Reply {
        let (Request::Replay(id) | Request::Discard(id)) = request;
        let Some(job) = self.jobs.get_mut(id) else { return Reply::Missing };
        let was_skipped = job.stage == Stage::Skipped;
        if job.stage != Stage::Dead && !was_skipped {
            return Reply::NotDead;
        }
        let no = job.lane;
        if let Request::Replay(_) = request {
            job.tries.attempts = 0;
            job.tries.late |= was_skipped && mutants::holds(Mutant::SkippedIsNotLate);
            job.tries.wait = StoredWait::Held;
            self.jobs.set_stage(id, Stage::Ready, None);
            self.store(id, hand);
            self.effects.lanes[no].close().queue.insert(id);
        } else {
            self.end(id, hand.seams.frame);
        }
        self.queue_lane(no);
        Reply::Done
    }
}
