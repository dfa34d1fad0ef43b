//! Lanes: the deliveries of one component and key, one at a time and in order.
//!
//! A lane is closed by a delivery that failed: while it waits for its next attempt, and once it is
//! a dead letter. What comes behind it waits in memory, or, beyond a few, is held by the store.
//! The order of a lane is the order of numbers; what has none yet comes last.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::envelope::Envelope;
use crate::hash::FastMap;
use crate::store::{StoredState, UNHANDLED_NUMBERS};
use crate::stream::{Key, Position};

mod keeping;
mod one;
mod pause;
mod requests;

pub(crate) use keeping::{Hold, Spent};
pub(crate) use one::KeptJob;
use one::{Front, Lane};
pub(crate) use pause::Pause;
pub(crate) use requests::{Asked, Edit};

/// How many deliveries of a lane run in one go before other lanes get their turn.
const RUN_MAX: usize = 64;

/// Bytes of kept messages that are read from the store for one run, unless the first has more.
const RUN_BYTES_MAX: usize = 1 << 20;

/// Which lane, as long as it has something to do or to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LaneId(usize);

/// One handler to run for one message.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) handler: usize,
    pub(crate) envelope: Arc<Envelope>,
    /// All handlers that the position has here.
    pub(crate) handlers: Arc<[Arc<str>]>,
    /// Its place in its lane, and the number under which it is kept if it fails; 0: none yet.
    pub(crate) number: u64,
    /// What is known of it, if the store keeps it.
    pub(crate) kept: Option<Box<KeptJob>>,
    /// It was running when the process died.
    pub(crate) is_suspect: bool,
}

impl Job {
    /// Bytes that were read from the store for it.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.kept.as_deref().map_or(0, |kept| kept.bytes as usize)
    }
}

/// Deliveries of a lane that run in one go, one after the other.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) lane: LaneId,
    /// The run's number: the store refuses what comes behind a refused outcome of the same run.
    pub(crate) number: u64,
    /// Deliveries that the store keeps, by their numbers; they come before the jobs above them.
    pub(crate) kept: Vec<(u64, Box<KeptJob>)>,
    pub(crate) jobs: VecDeque<Job>,
    /// The states that the lane's last outcomes left, by the states' numbers. Those that are not
    /// here are read from the store: all of the lane's outcomes are durable then.
    pub(crate) states: Vec<(usize, StoredState)>,
    /// With what else it is marked as running.
    pub(crate) batch: u64,
    /// It is not run: so often did the process die while it ran alone.
    pub(crate) condemned: Option<u32>,
}

impl Run {
    /// Its deliveries, in order: handlers and messages.
    pub(crate) fn deliveries(&self) -> impl Iterator<Item = (usize, &Position)> {
        let kept = self.kept.iter().map(|(_, kept)| (kept.handler, &kept.position));
        kept.chain(self.jobs.iter().map(|job| (job.handler, &job.envelope.position)))
    }

    /// The first of them.
    pub(crate) fn first(&self) -> Option<(usize, &Position)> {
        self.deliveries().next()
    }

    /// Bytes that are to be read from the store for it.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.kept.iter().map(|(_, kept)| kept.bytes as usize).sum()
    }
}

/// All lanes that have something to do or to wait for.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    /// The lanes of components and keys. A delivery that waits for no other has one that is not
    /// here.
    by_key: FastMap<(usize, Key), LaneId>,
    lanes: Vec<Option<Lane>>,
    free: Vec<LaneId>,
    ready: VecDeque<LaneId>,
    next_run: u64,
    /// The number of the next delivery that gets one.
    next_number: u64,
    /// The last reading of the steady clock.
    now_ms: u64,
    /// When closed lanes are to be looked at.
    wakes: BTreeSet<(u64, LaneId)>,
    /// Where the kept deliveries are.
    places: BTreeMap<u64, keeping::Place>,
    /// Lanes with more followers than may wait in memory.
    crowded: Vec<LaneId>,
    /// How many followers of a closed lane wait in memory.
    followers_max: usize,
    /// Lanes with deliveries that were running when the process died.
    suspects: BTreeSet<LaneId>,
    /// Changes of states whose turn has come.
    due_edits: Vec<(LaneId, Edit)>,
    /// Changes of states that wait for their turn.
    waiting_edits: usize,
    /// Lanes that go on by themselves: all but those that wait behind a dead letter.
    live: usize,
}

impl Lanes {
    /// No lanes; the first delivery that is kept gets that number.
    pub(crate) fn new(next_number: u64, followers_max: usize) -> Self {
        Lanes { next_number: next_number.max(1), followers_max, ..Lanes::default() }
    }

    /// Tells what time it is, by the steady clock: all that lanes wait for goes by that.
    pub(crate) fn set_now(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    /// Adds a job behind the others of its component's and key's lane. Without both it gets a lane
    /// of its own.
    pub(crate) fn add(&mut self, component: Option<usize>, key: Option<&Key>, job: Job) {
        let key = component.zip(key.cloned());
        let known = key.as_ref().and_then(|key| self.by_key.get(key)).copied();
        let id = known.unwrap_or_else(|| self.open(key));
        if job.is_suspect {
            self.suspects.insert(id);
        }
        let Some(lane) = self.get_mut(id) else { return };
        lane.suspects += usize::from(job.is_suspect);
        lane.queue.push_back(job);
        self.go_on(id);
    }

    /// The number of a message that no handler takes: before all that come after it.
    pub(crate) fn reserve_unhandled(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number = number.saturating_add(UNHANDLED_NUMBERS);
        number
    }

    /// A number for a delivery that the store is to keep: behind all that have one.
    pub(crate) fn reserve(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number = number.saturating_add(1);
        number
    }

    fn open(&mut self, key: Option<(usize, Key)>) -> LaneId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.lanes.push(None);
            LaneId(self.lanes.len() - 1)
        });
        if let Some(key) = &key {
            self.by_key.insert(key.clone(), id);
        }
        self.next_run += 1;
        self.live += 1;
        let lane = Lane::new(key, self.next_run);
        if let Some(place) = self.lanes.get_mut(id.0) {
            *place = Some(lane);
        }
        id
    }

    fn close(&mut self, id: LaneId) {
        self.set_wake(id, None);
        self.suspects.remove(&id);
        let lane = self.lanes.get_mut(id.0).and_then(Option::take);
        self.live -= usize::from(lane.as_ref().is_some_and(|lane| !lane.is_stuck));
        if let Some(key) = lane.and_then(|lane| lane.key) {
            self.by_key.remove(&key);
        }
        self.free.push(id);
    }

    fn get_mut(&mut self, id: LaneId) -> Option<&mut Lane> {
        self.lanes.get_mut(id.0)?.as_mut()
    }

    /// Starts the next lane that is ready.
    pub(crate) fn start(&mut self) -> Option<Run> {
        loop {
            let id = self.ready.pop_front()?;
            if let Some(run) = self.start_lane(id, RUN_MAX) {
                return Some(run);
            }
        }
    }

    /// Starts a single delivery of a lane that has one which ran when the process died.
    pub(crate) fn start_suspect(&mut self) -> Option<Run> {
        let ready = |id: &&LaneId| {
            let lane = self.lanes.get(id.0).and_then(Option::as_ref);
            lane.is_some_and(|lane| lane.is_ready)
        };
        let id = *self.suspects.iter().find(ready)?;
        self.ready.retain(|other| *other != id);
        self.start_lane(id, 1)
    }

    /// Whether one of those may run now.
    pub(crate) fn has_ready_suspect(&self) -> bool {
        let ready = |id: &LaneId| {
            let lane = self.lanes.get(id.0).and_then(Option::as_ref);
            lane.is_some_and(|lane| lane.is_ready)
        };
        self.suspects.iter().any(ready)
    }

    fn start_lane(&mut self, id: LaneId, most: usize) -> Option<Run> {
        let (mut number, now) = (self.next_number, self.now_ms);
        let lane = self.get_mut(id)?;
        lane.is_ready = false;
        if lane.front(now) != Front::Run {
            // What it waits for has changed since it was found to be ready.
            self.go_on(id);
            return None;
        }
        lane.is_running = true;
        lane.since_ms = now;
        let (mut jobs, mut kept) = (VecDeque::new(), Vec::new());
        let mut bytes = 0;
        while jobs.len() + kept.len() < most {
            if lane.kept.is_empty() {
                let Some(mut job) = lane.queue.pop_front() else { break };
                if job.number == 0 {
                    job.number = number;
                    number += 1;
                }
                jobs.push_back(job);
            } else if let Front::Run = lane.front(now)
                && let Some((number, entry)) = lane.kept.pop_first()
            {
                bytes += entry.bytes as usize;
                kept.push((number, entry));
                if bytes >= RUN_BYTES_MAX {
                    break;
                }
            } else {
                break;
            }
        }
        if lane.key.is_some() {
            lane.in_run = jobs.iter().filter(|job| job.kept.is_none()).cloned().collect();
        }
        let (run, states) = (lane.run, std::mem::take(&mut lane.states));
        let (batch, condemned) = (0, None);
        let run = Run { lane: id, number: run, kept, jobs, states, batch, condemned };
        lane.running = run.first().map(|(handler, position)| (handler, position.clone()));
        self.next_number = number;
        Some(run)
    }

    /// How many lanes go on by themselves: those that wait behind a dead letter do not.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Whether a lane waits for its turn.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// What the store has come to keep while it ran is known of a job from here on.
    pub(crate) fn unpin(&mut self, id: LaneId, job: &mut Job) {
        if let Some(entry) = self.get_mut(id).and_then(|lane| lane.pinned.remove(&job.number)) {
            job.kept = Some(entry);
        }
    }

    /// A run has ended: `queued` of its outcomes are on their way to the store, `rest` did not
    /// run.
    pub(crate) fn ended(
        &mut self,
        id: LaneId,
        queued: usize,
        rest: VecDeque<Job>,
        states: Vec<(usize, StoredState)>,
    ) {
        let Some(lane) = self.get_mut(id) else { return };
        lane.is_running = false;
        lane.running = None;
        lane.in_run.clear();
        lane.uncommitted += queued;
        lane.states = states;
        lane.put_back(rest);
        self.go_on(id);
    }

    /// An outcome of the lane is durable.
    pub(crate) fn committed(&mut self, id: LaneId, job: &Job) {
        if job.kept.is_some() {
            self.places.remove(&job.number);
        }
        self.settled(id, job);
        self.go_on(id);
    }

    /// An outcome of the lane was refused: its job and all behind it run again.
    pub(crate) fn refused(&mut self, id: LaneId, job: Job) {
        if let Some(lane) = self.get_mut(id) {
            lane.uncommitted = lane.uncommitted.saturating_sub(1);
            lane.refused.push(job);
        }
        self.go_on(id);
    }

    /// One outcome less is on its way; what ran when the process died is suspected no more.
    fn settled(&mut self, id: LaneId, job: &Job) {
        let Some(lane) = self.get_mut(id) else { return };
        lane.uncommitted = lane.uncommitted.saturating_sub(1);
        lane.suspects = lane.suspects.saturating_sub(usize::from(job.is_suspect));
        if job.is_suspect && lane.suspects == 0 {
            self.suspects.remove(&id);
        }
    }

    /// After a change: forgets a lane with nothing left, mends a refused one, or makes it ready.
    fn go_on(&mut self, id: LaneId) {
        // The number of the lane's next run, should it need one.
        self.next_run += 1;
        let (run, now, followers_max) = (self.next_run, self.now_ms, self.followers_max);
        let Some(lane) = self.get_mut(id) else { return };
        if lane.is_crowded(now, followers_max) {
            lane.is_listed = true;
            self.crowded.push(id);
        }
        self.note_stuck(id);
        let Some(lane) = self.get_mut(id) else { return };
        if lane.is_running || lane.is_ready {
            return;
        }
        if !lane.refused.is_empty() {
            if lane.uncommitted > 0 {
                return;
            }
            let mut refused = std::mem::take(&mut lane.refused);
            // What of them was kept while they ran is durable: nothing of the lane is on its way.
            let kept = refused.iter_mut().filter_map(|job| job.kept.as_deref_mut());
            kept.for_each(|kept| kept.uncommitted = 0);
            lane.put_back(refused.into());
            // What was read ahead is worth nothing: the store is asked again.
            lane.states.clear();
            lane.run = run;
        }
        if !lane.edits.is_empty() {
            self.edit_next(id);
            return;
        }
        let front = lane.front(now);
        if lane.uncommitted == 0 && !matches!(front, Front::Run) {
            // All that they say is durable, and a lane may be closed for long.
            lane.states = Vec::new();
        }
        match front {
            Front::Run => {
                lane.is_ready = true;
                self.ready.push_back(id);
            }
            Front::Until(due) => self.set_wake(id, Some(due)),
            Front::Empty if lane.uncommitted == 0 => self.close(id),
            Front::Empty | Front::Closed => {}
        }
    }

    fn set_wake(&mut self, id: LaneId, due: Option<u64>) {
        let Some(lane) = self.get_mut(id) else { return };
        let before = std::mem::replace(&mut lane.wake, due);
        if let Some(before) = before {
            self.wakes.remove(&(before, id));
        }
        if let Some(due) = due {
            self.wakes.insert((due, id));
        }
    }
}

#[cfg(test)]
mod tests;
