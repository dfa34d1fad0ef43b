//! Deliveries that the store keeps: how they come into their lanes, and leave them.

use super::one::KeptJob;
use super::{Job, LaneId, Lanes, Pause};
use crate::stream::{Key, Position};

/// Where a kept delivery is.
#[derive(Debug)]
pub(super) enum Place {
    /// In that lane, or running.
    Lane(LaneId),
    /// Its lane went on without it.
    Spent(Option<(usize, Key)>, Box<KeptJob>),
}

/// Followers of a closed lane, which the store is to hold.
#[derive(Debug)]
pub(crate) struct Hold {
    pub(crate) lane: LaneId,
    /// The lane's run: if an outcome before them is refused, so are they.
    pub(crate) run: u64,
    pub(crate) jobs: Vec<Job>,
}

/// A dead letter without which its lane goes on from now on.
#[derive(Debug)]
pub(crate) struct Spent {
    pub(crate) number: u64,
    pub(crate) entry: KeptJob,
    /// When it was given up, milliseconds since 1970.
    pub(crate) since_ms: u64,
}

impl Lanes {
    /// Puts a delivery into its lane that the store kept before the start.
    pub(crate) fn recover(
        &mut self,
        number: u64,
        component: Option<usize>,
        key: Option<&Key>,
        entry: KeptJob,
    ) {
        let key = component.zip(key.cloned());
        if matches!(entry.wait, Pause::Spent { .. }) {
            self.places.insert(number, Place::Spent(key, Box::new(entry)));
        } else {
            self.enter(number, key, Box::new(entry));
        }
    }

    /// Puts a kept delivery into its lane.
    pub(super) fn enter(&mut self, number: u64, key: Option<(usize, Key)>, entry: Box<KeptJob>) {
        let known = key.as_ref().and_then(|key| self.by_key.get(key)).copied();
        let id = known.unwrap_or_else(|| self.open(key));
        if entry.is_suspect {
            self.suspects.insert(id);
        }
        self.places.insert(number, Place::Lane(id));
        if let Some(lane) = self.get_mut(id) {
            lane.suspects += usize::from(entry.is_suspect);
            lane.kept.insert(number, entry);
        }
        self.go_on(id);
    }

    /// A job of the lane, which is running still, has failed: it is kept, once that is durable.
    pub(crate) fn keep(&mut self, id: LaneId, job: &Job, wait: Pause, attempts: u32, late: bool) {
        let entry = KeptJob {
            handler: job.handler,
            position: job.envelope.position.clone(),
            since_ms: job.kept.as_deref().map_or(self.now_ms, |kept| kept.since_ms),
            wait,
            attempts,
            late,
            bytes: weight(job),
            uncommitted: 1 + job.kept.as_deref().map_or(0, |kept| kept.uncommitted),
            is_suspect: false,
        };
        if let Some(lane) = self.get_mut(id) {
            lane.uncommitted += 1;
            lane.kept.insert(job.number, Box::new(entry));
            self.places.insert(job.number, Place::Lane(id));
        }
    }

    /// That a job is kept is durable.
    pub(crate) fn kept(&mut self, id: LaneId, job: &Job) {
        self.settled(id, job);
        self.durable(id, job.number);
    }

    /// That a job is kept was refused: what was before it in its lane runs again, and then it.
    pub(crate) fn keep_refused(&mut self, id: LaneId, job: Job) {
        if let Some(lane) = self.get_mut(id) {
            lane.kept.remove(&job.number);
        }
        if job.kept.is_none() {
            self.places.remove(&job.number);
        }
        self.refused(id, job);
    }

    /// What a kept delivery waits for is durable.
    pub(super) fn durable(&mut self, id: LaneId, number: u64) {
        if let Some(lane) = self.get_mut(id) {
            let entry = lane.kept.get_mut(&number).or_else(|| lane.pinned.get_mut(&number));
            if let Some(entry) = entry {
                entry.uncommitted = entry.uncommitted.saturating_sub(1);
            }
        }
        self.go_on(id);
    }

    /// Takes the followers of crowded lanes out of the memory: the store is to hold them.
    pub(crate) fn holds(&mut self) -> Vec<Hold> {
        let crowded = std::mem::take(&mut self.crowded);
        let (now, followers_max) = (self.now_ms, self.followers_max);
        let mut is_crowded = |id: LaneId| {
            let lane = self.get_mut(id)?;
            lane.is_listed = false;
            lane.is_crowded(now, followers_max).then_some(id)
        };
        let crowded: Vec<_> = crowded.into_iter().filter_map(&mut is_crowded).collect();
        crowded.into_iter().filter_map(|id| self.hold(id)).collect()
    }

    /// Takes all of a key out of the memory, what runs too: what the store keeps after it is not to
    /// overtake it at a start.
    pub(crate) fn hold_key(&mut self, component: usize, key: &Key) -> Option<Hold> {
        let id = *self.by_key.get(&(component, key.clone()))?;
        self.hold(id)
    }

    fn hold(&mut self, id: LaneId) -> Option<Hold> {
        let (now, mut number) = (self.now_ms, self.next_number);
        let lane = self.get_mut(id)?;
        // What runs is kept with what is held behind it: after a crash it comes first again.
        let mut jobs = std::mem::take(&mut lane.in_run);
        let running = jobs.len();
        jobs.extend(std::mem::take(&mut lane.queue));
        for (index, job) in jobs.iter_mut().enumerate() {
            if job.number == 0 {
                job.number = number;
                number += 1;
            }
            let kept = if index < running { &mut lane.pinned } else { &mut lane.kept };
            kept.insert(job.number, Box::new(held(job, now)));
            // What it is suspected of goes on with the delivery that is kept.
            job.is_suspect = false;
        }
        if jobs.is_empty() {
            return None;
        }
        lane.uncommitted += jobs.len();
        let run = lane.run;
        self.places.extend(jobs.iter().map(|job| (job.number, Place::Lane(id))));
        self.next_number = number;
        Some(Hold { lane: id, run, jobs })
    }

    /// Lists lanes whose runs take long, so that those behind them do not fill the memory.
    pub(crate) fn list_slow(&mut self) {
        let (now, followers_max) = (self.now_ms, self.followers_max);
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let Some(lane) = lane else { continue };
            if lane.is_crowded(now, followers_max) {
                lane.is_listed = true;
                self.crowded.push(LaneId(index));
            }
        }
    }

    /// When the next closed lane is to be looked at.
    pub(crate) fn next_wake(&self) -> Option<u64> {
        self.wakes.first().map(|(due, _)| *due)
    }

    /// Looks at the lanes whose time has come. The dead letters that they pass over from now on
    /// are to be written down as spent.
    pub(crate) fn wake(&mut self) -> Vec<Spent> {
        let mut spent = Vec::new();
        while let Some(&(due, id)) = self.wakes.first()
            && due <= self.now_ms
        {
            let now = self.now_ms;
            self.set_wake(id, None);
            let Some(lane) = self.get_mut(id) else { continue };
            if !lane.is_running
                && let Some((number, entry)) = lane.kept.first_key_value()
                && entry.is_durable()
                && let Some(since_ms) = entry.wait.passed_over(now)
            {
                let (number, mut entry) = (*number, (**entry).clone());
                entry.wait = Pause::Spent { since_ms };
                entry.uncommitted = 1;
                if let Some(lane) = self.get_mut(id) {
                    lane.kept.insert(number, Box::new(entry.clone()));
                }
                spent.push(Spent { number, entry, since_ms });
                continue;
            }
            self.go_on(id);
        }
        spent
    }

    /// That a dead letter is passed over is durable: its lane goes on.
    pub(crate) fn spent(&mut self, number: u64) {
        let Some(Place::Lane(id)) = self.places.get(&number) else { return };
        let id = *id;
        let Some(lane) = self.get_mut(id) else { return };
        let (key, entry) = (lane.key.clone(), lane.kept.remove(&number));
        if let Some(mut entry) = entry {
            entry.uncommitted = 0;
            self.places.insert(number, Place::Spent(key, entry));
        }
        self.go_on(id);
    }

    /// Counts a lane among those that go on by themselves, or not.
    pub(super) fn note_stuck(&mut self, id: LaneId) {
        let now = self.now_ms;
        let Some(lane) = self.get_mut(id) else { return };
        let is_stuck = lane.is_stuck_at(now);
        let was_stuck = std::mem::replace(&mut lane.is_stuck, is_stuck);
        match (was_stuck, is_stuck) {
            (true, false) => self.live += 1,
            (false, true) => self.live -= 1,
            _ => {}
        }
    }

    /// The delivery that is held for longest, if one is.
    pub(crate) fn oldest_held(&self) -> Option<&KeptJob> {
        let kept = self.lanes.iter().flatten().flat_map(|lane| lane.kept.values());
        let held = kept.filter(|kept| kept.wait == Pause::Held);
        held.map(|kept| &**kept).min_by_key(|kept| kept.since_ms)
    }

    /// Whether anything is kept in a lane.
    pub(crate) fn has_kept(&self) -> bool {
        !self.places.is_empty()
    }

    /// What runs at this moment, lane by lane: the handler, the message and the key of its first
    /// delivery.
    pub(crate) fn running(&self) -> impl Iterator<Item = (usize, &Position, Option<&Key>)> {
        let lanes = self.lanes.iter().flatten();
        lanes.filter_map(|lane| {
            let (handler, position) = lane.running.as_ref()?;
            Some((*handler, position, lane.message_key()))
        })
    }

    /// The key of what a lane runs, if it is known.
    pub(crate) fn message_key(&self, id: LaneId) -> Option<&Key> {
        self.lanes.get(id.0)?.as_ref()?.message_key()
    }
}

fn held(job: &Job, now_ms: u64) -> KeptJob {
    KeptJob {
        handler: job.handler,
        position: job.envelope.position.clone(),
        since_ms: now_ms,
        wait: Pause::Held,
        attempts: 0,
        late: false,
        bytes: weight(job),
        uncommitted: 1,
        is_suspect: job.is_suspect,
    }
}

fn weight(job: &Job) -> u32 {
    let bytes = job.envelope.headers.as_bytes().len() + job.envelope.body.len();
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
