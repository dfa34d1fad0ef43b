//! Deliveries that do not end in one pass: each with one record that says where it is.

use std::collections::BTreeSet;

use super::message::Packed;
use super::mutants::{self, Mutant};
use crate::hash::FastMap;
use crate::ids::{DeliveryId, FrameNo, HandlerIx, LaneNo, Position, RouteIx, RunId};
use crate::table::delivery::{DeliveryRow, StoredWait};
use crate::table::message::Context;

/// One handler's share of one message.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) origin: Origin,
    pub(crate) lane: LaneNo,
    pub(crate) stage: Stage,
    /// The end of its wait, by the clock that only goes forward.
    pub(crate) due_ms: Option<u64>,
    /// The message, while it is in memory.
    pub(crate) message: Option<Packed>,
    pub(crate) tries: Tries,
    /// The store has it, or will have with the frame that is gathered.
    pub(crate) is_stored: bool,
}

/// The message and the handler of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) position: Position,
    pub(crate) handler: HandlerIx,
    /// The message's type, as long as the message was never stored.
    pub(crate) route: Option<RouteIx>,
    pub(crate) digest: u128,
    pub(crate) context: Context,
}

/// The history of a delivery, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tries {
    pub(crate) attempts: u32,
    pub(crate) failures: u32,
    pub(crate) late: bool,
    pub(crate) since_ms: u64,
    pub(crate) wait: StoredWait,
}

impl DeliveryRow<'_> {
    /// Reads the history of a stored delivery.
    pub(crate) fn tries(&self) -> Tries {
        let DeliveryRow { attempts, failures, late, since_ms, wait, .. } = *self;
        Tries { attempts, failures, late, since_ms, wait }
    }
}

/// The place of a delivery in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Runs when its turn in the lane comes.
    Ready,
    /// Its message is being read.
    Loading,
    /// A call is pending.
    Running(RunId),
    /// Waits for its next attempt.
    Waiting,
    /// Is a dead letter, and closes its lane.
    Dead,
    /// Is a dead letter, and its lane has gone on without it.
    Skipped,
}

/// The number of deliveries, by stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gauges {
    pub(crate) ready: usize,
    pub(crate) running: usize,
    pub(crate) waiting: usize,
    pub(crate) dead: usize,
}

/// All jobs, the times for which they wait, and the ids of pending calls.
#[derive(Debug)]
pub(crate) struct Jobs {
    jobs: FastMap<DeliveryId, Job>,
    next: DeliveryId,
    due: BTreeSet<(u64, DeliveryId)>,
    runs: Runs,
    /// Stored with a frame that is not durable: until then nobody else has their messages.
    fresh: Vec<(FrameNo, DeliveryId)>,
    gauges: Gauges,
}

impl Jobs {
    /// No jobs; the first one gets that number.
    pub(crate) fn new(next: DeliveryId) -> Self {
        Jobs {
            jobs: FastMap::default(),
            next,
            due: BTreeSet::new(),
            runs: Runs::default(),
            fresh: Vec::new(),
            gauges: Gauges::default(),
        }
    }

    /// Adds a job behind all others.
    pub(crate) fn add(&mut self, job: Job) -> DeliveryId {
        let id = self.next;
        self.recover(id, job);
        id
    }

    /// Adds a job that has its number.
    pub(crate) fn recover(&mut self, id: DeliveryId, job: Job) {
        self.next = self.next.max(DeliveryId(id.0 + 1));
        *self.gauge(job.stage) += 1;
        self.due.extend(job.due_ms.map(|due| (due, id)));
        self.jobs.insert(id, job);
    }

    pub(crate) fn get(&self, id: DeliveryId) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// Changes what a job has been through, or its message. Its stage only [`set_stage`](Jobs::set_stage) changes.
    pub(crate) fn get_mut(&mut self, id: DeliveryId) -> Option<&mut Job> {
        self.jobs.get_mut(&id)
    }

    /// Moves a job to a stage; the one function that does.
    pub(crate) fn set_stage(&mut self, id: DeliveryId, to: Stage, due_ms: Option<u64>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let from = std::mem::replace(&mut job.stage, to);
        let was_due = std::mem::replace(&mut job.due_ms, due_ms);
        if let Some(due) = was_due {
            self.due.remove(&(due, id));
        }
        self.due.extend(due_ms.map(|due| (due, id)));
        if let Stage::Running(run) = from
            && to != from
        {
            self.runs.end(run);
        }
        if let Stage::Running(run) = to
            && to != from
        {
            self.runs.start(run, id);
        }
        *self.gauge(from) -= 1;
        *self.gauge(to) += 1;
    }

    /// Takes a job out.
    pub(crate) fn remove(&mut self, id: DeliveryId) -> Option<Job> {
        self.set_stage(id, Stage::Ready, None);
        let job = self.jobs.remove(&id)?;
        *self.gauge(Stage::Ready) -= 1;
        Some(job)
    }

    fn gauge(&mut self, stage: Stage) -> &mut usize {
        match stage {
            Stage::Ready | Stage::Loading => &mut self.gauges.ready,
            Stage::Running(_) => &mut self.gauges.running,
            Stage::Waiting => &mut self.gauges.waiting,
            Stage::Dead | Stage::Skipped => &mut self.gauges.dead,
        }
    }

    pub(crate) fn gauges(&self) -> Gauges {
        self.gauges
    }

    /// The id that the next call goes by if it is pending.
    pub(crate) fn next_run(&self) -> RunId {
        self.runs.peek()
    }

    /// The job of a pending call; `None` for a call that has ended.
    pub(crate) fn running(&self, run: RunId) -> Option<DeliveryId> {
        self.runs.job(run)
    }

    /// All pending calls.
    pub(crate) fn runs(&self) -> impl Iterator<Item = RunId> {
        self.runs.all()
    }

    /// The next job whose time has come, once.
    pub(crate) fn take_due(&mut self, now_ms: u64) -> Option<DeliveryId> {
        let &(due, id) = self.due.first()?;
        if due > now_ms {
            return None;
        }
        self.due.remove(&(due, id));
        self.jobs.get_mut(&id)?.due_ms = None;
        Some(id)
    }

    pub(crate) fn next_due(&self) -> Option<u64> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Picks those that only the memory has.
    pub(crate) fn not_stored(&self, of: &BTreeSet<DeliveryId>) -> Vec<DeliveryId> {
        let spares_running = !mutants::holds(Mutant::RunningIsNotStored);
        let is_new = |id: &&DeliveryId| {
            let job = self.jobs.get(*id).filter(|job| !job.is_stored);
            job.is_some_and(|job| !(spares_running && matches!(job.stage, Stage::Running(_))))
        };
        of.iter().filter(is_new).copied().collect()
    }

    /// A job is stored with that frame.
    pub(crate) fn stored(&mut self, id: DeliveryId, frame: FrameNo) {
        self.fresh.push((frame, id));
    }

    /// All frames through this one are durable: messages that the store has leave the memory.
    pub(crate) fn durable(&mut self, through: FrameNo) {
        let fresh = std::mem::take(&mut self.fresh);
        for (frame, id) in fresh {
            if frame > through && mutants::holds(Mutant::MessageLeavesEarly) {
                self.fresh.push((frame, id));
            } else if let Some(job) = self.jobs.get_mut(&id)
                && !matches!(job.stage, Stage::Running(_))
            {
                job.message = None;
            }
        }
    }
}

/// Ids of pending calls.
#[derive(Debug, Default)]
struct Runs {
    places: Vec<(u32, Option<DeliveryId>)>,
    free: Vec<u32>,
}

impl Runs {
    /// The id that [`start`](Runs::start) will take next.
    fn peek(&self) -> RunId {
        let new = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        let place = self.free.last().copied().unwrap_or(new);
        let used = self.places.get(place as usize);
        RunId { place, generation: used.map_or(0, |(generation, _)| *generation) }
    }

    fn start(&mut self, run: RunId, job: DeliveryId) {
        if self.free.pop().is_none() {
            self.places.push((run.generation, None));
        }
        if let Some(place) = self.places.get_mut(run.place as usize) {
            place.1 = Some(job);
        }
    }

    fn job(&self, run: RunId) -> Option<DeliveryId> {
        let (generation, job) = self.places.get(run.place as usize)?;
        let is_same = *generation == run.generation;
        job.filter(|_| is_same || !mutants::holds(Mutant::GenerationIsIgnored))
    }

    fn end(&mut self, run: RunId) {
        if let Some(place) = self.places.get_mut(run.place as usize) {
            *place = (place.0.wrapping_add(1), None);
            self.free.push(run.place);
        }
    }

    fn all(&self) -> impl Iterator<Item = RunId> {
        let places = self.places.iter().zip(0_u32..);
        places
            .filter(|((_, job), _)| job.is_some())
            .map(|((generation, _), place)| RunId { place, generation: *generation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::StreamIx;

    fn job() -> Job {
        let position = Position { stream: StreamIx(0), sequence: 1 };
        let (handler, route) = (HandlerIx(0), Some(RouteIx(0)));
        let wait = StoredWait::Held;
        Job {
            origin: Origin { position, handler, route, digest: 7, context: Context::default() },
            lane: LaneNo(0),
            stage: Stage::Ready,
            due_ms: None,
            message: Some(Packed::default()),
            tries: Tries { attempts: 0, failures: 0, late: false, since_ms: 0, wait },
            is_stored: false,
        }
    }

    #[test]
    fn gauges_and_times_follow_the_stages() {
        let mut jobs = Jobs::new(DeliveryId(5));
        let (first, second) = (jobs.add(job()), jobs.add(job()));
        assert_eq!((first, second), (DeliveryId(5), DeliveryId(6)));
        jobs.set_stage(first, Stage::Waiting, Some(30));
        jobs.set_stage(second, Stage::Dead, Some(20));
        let gauges = Gauges { waiting: 1, dead: 1, ..Gauges::default() };
        assert_eq!((jobs.gauges(), jobs.next_due()), (gauges, Some(20)));
        assert_eq!(jobs.take_due(19), None);
        assert_eq!((jobs.take_due(30), jobs.take_due(30)), (Some(second), Some(first)));
        assert_eq!(jobs.take_due(30), None, "each once");
        jobs.remove(first);
        jobs.remove(second);
        assert_eq!((jobs.gauges(), jobs.next_due()), (Gauges::default(), None));
    }

    #[test]
    fn a_late_wake_of_a_call_that_has_ended_is_nothing() {
        let mut jobs = Jobs::new(DeliveryId(1));
        let id = jobs.add(job());
        let run = jobs.next_run();
        jobs.set_stage(id, Stage::Running(run), None);
        assert_eq!((jobs.running(run), jobs.runs().collect::<Vec<_>>()), (Some(id), vec![run]));
        jobs.set_stage(id, Stage::Running(run), Some(9));
        assert_eq!(jobs.running(run), Some(id), "it runs on");
        jobs.set_stage(id, Stage::Ready, None);
        assert_eq!(jobs.running(run), None);
        let next = jobs.next_run();
        assert_eq!((next.place, next.generation), (run.place, run.generation + 1));
        jobs.set_stage(id, Stage::Running(next), None);
        assert_eq!((jobs.running(run), jobs.running(next)), (None, Some(id)));
    }

    #[test]
    fn a_message_stays_until_the_frame_that_stores_it_is_durable() {
        let mut jobs = Jobs::new(DeliveryId(1));
        let (first, second) = (jobs.add(job()), jobs.add(job()));
        jobs.stored(first, FrameNo(4));
        jobs.stored(second, FrameNo(5));
        jobs.durable(FrameNo(4));
        let message = |jobs: &Jobs, id| jobs.get(id).unwrap().message.is_some();
        assert_eq!((message(&jobs, first), message(&jobs, second)), (false, true));
        jobs.durable(FrameNo(5));
        assert!(!message(&jobs, second));
    }
}
