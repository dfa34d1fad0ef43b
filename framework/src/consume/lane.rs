//! Lanes: the deliveries of one component and key, one at a time and in order.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::envelope::Envelope;
use crate::hash::FastMap;
use crate::store::StoredState;
use crate::stream::Key;

/// How many deliveries of a lane run in one go before other lanes get their turn.
const RUN_MAX: usize = 64;

/// Which lane, as long as it has something to do or to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LaneId(usize);

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
    pub(crate) lane: LaneId,
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
    /// The lanes of components and keys. A delivery that waits for no other has one that is not
    /// here.
    by_key: FastMap<(usize, Key), LaneId>,
    lanes: Vec<Option<Lane>>,
    free: Vec<LaneId>,
    ready: VecDeque<LaneId>,
    next_run: u64,
}

#[derive(Debug)]
struct Lane {
    key: Option<(usize, Key)>,
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
    /// Adds a job behind the others of its component's and key's lane. Without both it gets a lane
    /// of its own.
    pub(crate) fn add(&mut self, component: Option<usize>, key: Option<&Key>, job: Job) {
        let key = component.zip(key.cloned());
        let known = key.as_ref().and_then(|key| self.by_key.get(key)).copied();
        let id = known.unwrap_or_else(|| self.open(key));
        let Some(lane) = self.get_mut(id) else { return };
        lane.queue.push_back(job);
        if lane.may_run() {
            lane.is_ready = true;
            self.ready.push_back(id);
        }
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
        let lane = Lane {
            key,
            run: self.next_run,
            queue: VecDeque::new(),
            is_running: false,
            is_ready: false,
            uncommitted: 0,
            states: Vec::new(),
            refused: Vec::new(),
        };
        if let Some(place) = self.lanes.get_mut(id.0) {
            *place = Some(lane);
        }
        id
    }

    fn close(&mut self, id: LaneId) {
        let lane = self.lanes.get_mut(id.0).and_then(Option::take);
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
            let Some(lane) = self.get_mut(id) else { continue };
            let count = lane.queue.len().min(RUN_MAX);
            let jobs: VecDeque<Job> = lane.queue.drain(..count).collect();
            (lane.is_ready, lane.is_running) = (false, true);
            let states = std::mem::take(&mut lane.states);
            return Some(Run { lane: id, number: lane.run, jobs, states });
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
        id: LaneId,
        queued: usize,
        rest: VecDeque<Job>,
        states: Vec<(usize, StoredState)>,
    ) {
        let Some(lane) = self.get_mut(id) else { return };
        lane.is_running = false;
        lane.uncommitted += queued;
        lane.states = states;
        for job in rest.into_iter().rev() {
            lane.queue.push_front(job);
        }
        self.go_on(id);
    }

    /// An outcome of the lane is durable.
    pub(crate) fn committed(&mut self, id: LaneId) {
        if let Some(lane) = self.get_mut(id) {
            lane.uncommitted = lane.uncommitted.saturating_sub(1);
        }
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

    /// After a change: forgets a lane with nothing left, mends a refused one, or makes it ready.
    fn go_on(&mut self, id: LaneId) {
        // The number of the lane's next run, should it need one.
        self.next_run += 1;
        let run = self.next_run;
        let Some(lane) = self.get_mut(id) else { return };
        if lane.is_running {
            return;
        }
        if !lane.refused.is_empty() && lane.uncommitted == 0 {
            for job in std::mem::take(&mut lane.refused).into_iter().rev() {
                lane.queue.push_front(job);
            }
            // What was read ahead is worth nothing: the store is asked again.
            lane.states.clear();
            lane.run = run;
        }
        if !lane.queue.is_empty() && lane.may_run() {
            lane.is_ready = true;
            self.ready.push_back(id);
        } else if lane.queue.is_empty() && lane.uncommitted == 0 && lane.refused.is_empty() {
            self.close(id);
        }
    }
}

impl Lane {
    fn may_run(&self) -> bool {
        !self.is_running && !self.is_ready && self.refused.is_empty()
    }
}
