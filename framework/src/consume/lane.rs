//! Lanes: the deliveries of one component and key, one at a time and in order.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::envelope::Envelope;
use crate::store::StoredState;
use crate::stream::Key;

/// How many deliveries of a lane run in one go before other lanes get their turn.
const RUN_MAX: usize = 64;

/// Which lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LaneKey {
    /// That of a component and a key.
    Keyed(usize, Key),
    /// That of one delivery, which waits for no other.
    Alone(u64),
}

/// One handler to run for one message.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) handler: usize,
    pub(crate) envelope: Arc<Envelope>,
    /// All handlers that the position has here.
    pub(crate) handlers: Arc<[Arc<str>]>,
}

/// Deliveries of a lane that run in one go, one after the other.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) lane: LaneKey,
    /// The run's number: the store refuses what comes behind a refused outcome of the same run.
    pub(crate) number: u64,
    pub(crate) jobs: VecDeque<Job>,
    /// The states that the lane's last outcomes left, by the states' numbers. Those that are not
    /// here are read from the store: all of the lane's outcomes are durable then.
    pub(crate) states: Vec<(usize, StoredState)>,
}

/// All lanes that have something to do or to wait for.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: HashMap<LaneKey, Lane>,
    ready: VecDeque<LaneKey>,
    next_run: u64,
    next_alone: u64,
}

#[derive(Debug)]
struct Lane {
    run: u64,
    queue: VecDeque<Job>,
    is_running: bool,
    is_ready: bool,
    /// Outcomes that are queued and not durable.
    uncommitted: usize,
    states: Vec<(usize, StoredState)>,
    /// Jobs whose outcomes were refused, in order; they run again once nothing of the refused run
    /// is on its way.
    refused: Vec<Job>,
}

impl Lanes {
    /// The lane of a component and key, or one of its own.
    pub(crate) fn key(&mut self, component: Option<usize>, key: Option<&Key>) -> LaneKey {
        match (component, key) {
            (Some(component), Some(key)) => LaneKey::Keyed(component, Arc::clone(key)),
            _ => {
                self.next_alone += 1;
                LaneKey::Alone(self.next_alone)
            }
        }
    }

    /// Adds a job behind the lane's others.
    pub(crate) fn add(&mut self, key: LaneKey, job: Job) {
        let next_run = &mut self.next_run;
        let lane = self.lanes.entry(key.clone()).or_insert_with(|| {
            *next_run += 1;
            Lane {
                run: *next_run,
                queue: VecDeque::new(),
                is_running: false,
                is_ready: false,
                uncommitted: 0,
                states: Vec::new(),
                refused: Vec::new(),
            }
        });
        lane.queue.push_back(job);
        if lane.may_run() {
            lane.is_ready = true;
            self.ready.push_back(key);
        }
    }

    /// Starts the next lane that is ready.
    pub(crate) fn start(&mut self) -> Option<Run> {
        loop {
            let key = self.ready.pop_front()?;
            let Some(lane) = self.lanes.get_mut(&key) else { continue };
            let count = lane.queue.len().min(RUN_MAX);
            let jobs: VecDeque<Job> = lane.queue.drain(..count).collect();
            (lane.is_ready, lane.is_running) = (false, true);
            let states = std::mem::take(&mut lane.states);
            return Some(Run { lane: key, number: lane.run, jobs, states });
        }
    }

    /// Whether a lane waits for its turn.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// A run has ended: `queued` of its outcomes are on their way to the store, `rest` did not
    /// run.
    pub(crate) fn ended(
        &mut self,
        key: &LaneKey,
        queued: usize,
        rest: VecDeque<Job>,
        states: Vec<(usize, StoredState)>,
    ) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        lane.is_running = false;
        lane.uncommitted += queued;
        lane.states = states;
        for job in rest.into_iter().rev() {
            lane.queue.push_front(job);
        }
        self.go_on(key);
    }

    /// An outcome of the lane is durable.
    pub(crate) fn committed(&mut self, key: &LaneKey) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.uncommitted = lane.uncommitted.saturating_sub(1);
        }
        self.go_on(key);
    }

    /// An outcome of the lane was refused: its job and all behind it run again.
    pub(crate) fn refused(&mut self, key: &LaneKey, job: Job) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.uncommitted = lane.uncommitted.saturating_sub(1);
            lane.refused.push(job);
        }
        self.go_on(key);
    }

    /// After a change: forgets a lane with nothing left, mends a refused one, or makes it ready.
    fn go_on(&mut self, key: &LaneKey) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        if lane.is_running {
            return;
        }
        if !lane.refused.is_empty() && lane.uncommitted == 0 {
            for job in std::mem::take(&mut lane.refused).into_iter().rev() {
                lane.queue.push_front(job);
            }
            // What was read ahead is worth nothing: the store is asked again.
            lane.states.clear();
            self.next_run += 1;
            lane.run = self.next_run;
        }
        if !lane.queue.is_empty() && lane.may_run() {
            lane.is_ready = true;
            self.ready.push_back(key.clone());
        } else if lane.queue.is_empty() && lane.uncommitted == 0 && lane.refused.is_empty() {
            self.lanes.remove(key);
        }
    }
}

impl Lane {
    fn may_run(&self) -> bool {
        !self.is_running && !self.is_ready && self.refused.is_empty()
    }
}
