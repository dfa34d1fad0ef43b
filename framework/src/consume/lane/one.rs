//! One lane: what waits in it, and what its front may do.

use std::collections::{BTreeMap, VecDeque};

use super::{Edit, Job, Pause};
use crate::store::StoredState;
use crate::stream::{Key, Position};

/// A wait, or a run, that is longer closes a lane for long: what follows is held at once.
const LONG_MS: u64 = 1_000;

/// What is known of a kept delivery without reading it.
#[derive(Clone, Debug)]
pub(crate) struct KeptJob {
    pub(crate) handler: usize,
    pub(crate) position: Position,
    /// Since when it is kept, by the steady clock.
    pub(crate) since_ms: u64,
    pub(crate) wait: Pause,
    /// Attempts that failed.
    pub(crate) attempts: u32,
    pub(crate) late: bool,
    /// Bytes of its headers and body.
    pub(crate) bytes: u32,
    /// How often what it waits for was queued for commit, and is not durable.
    pub(crate) uncommitted: u32,
    /// It was running when the process died.
    pub(crate) is_suspect: bool,
}

impl KeptJob {
    /// Whether what it waits for is durable.
    pub(super) fn is_durable(&self) -> bool {
        self.uncommitted == 0
    }
}

/// What the front of a lane may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// It may run.
    Run,
    /// It may run, or the lane may pass over it, from that time on.
    Until(u64),
    /// It waits for an operator, or for its own commit.
    Closed,
    /// There is none.
    Empty,
}

#[derive(Debug)]
pub(super) struct Lane {
    pub(super) key: Option<(usize, Key)>,
    pub(super) run: u64,
    /// What is only in memory.
    pub(super) queue: VecDeque<Job>,
    /// What the store keeps, by number.
    pub(super) kept: BTreeMap<u64, Box<KeptJob>>,
    pub(super) is_running: bool,
    pub(super) is_ready: bool,
    /// What it runs first, and since when.
    pub(super) running: Option<(usize, Position)>,
    pub(super) since_ms: u64,
    /// What it runs that was only in memory when it began.
    pub(super) in_run: Vec<Job>,
    /// What of that the store keeps by now, for what is held behind it.
    pub(super) pinned: BTreeMap<u64, Box<KeptJob>>,
    /// Outcomes that are queued and not durable.
    pub(super) uncommitted: usize,
    pub(super) states: Vec<(usize, StoredState)>,
    /// Jobs whose outcomes were refused, in order; they run again once nothing of the refused run
    /// is on its way.
    pub(super) refused: Vec<Job>,
    /// When it is to be looked at.
    pub(super) wake: Option<u64>,
    /// It is listed as crowded.
    pub(super) is_listed: bool,
    /// How many of its deliveries were running when the process died.
    pub(super) suspects: usize,
    /// It waits behind a dead letter.
    pub(super) is_stuck: bool,
    /// What an operator changes in its states, once nothing of it runs or is on its way.
    pub(super) edits: VecDeque<Edit>,
}

impl Lane {
    pub(super) fn new(key: Option<(usize, Key)>, run: u64) -> Self {
        Lane {
            key,
            run,
            queue: VecDeque::new(),
            kept: BTreeMap::new(),
            is_running: false,
            is_ready: false,
            running: None,
            since_ms: 0,
            in_run: Vec::new(),
            pinned: BTreeMap::new(),
            uncommitted: 0,
            states: Vec::new(),
            refused: Vec::new(),
            wake: None,
            is_listed: false,
            suspects: 0,
            is_stuck: false,
            edits: VecDeque::new(),
        }
    }

    /// The key of what it runs; not known of what the store keeps and no other waits for.
    pub(super) fn message_key(&self) -> Option<&Key> {
        let first = self.in_run.first().and_then(|job| job.envelope.key.as_ref());
        first.or(self.key.as_ref().map(|(_, key)| key))
    }

    /// What its front may do, nothing of the lane running.
    pub(super) fn front(&self, now_ms: u64) -> Front {
        let Some(first) = self.kept.values().next() else {
            return if self.queue.is_empty() { Front::Empty } else { Front::Run };
        };
        match first.wait {
            _ if !first.is_durable() => Front::Closed,
            Pause::Held => Front::Run,
            Pause::Until(due) if due <= now_ms => Front::Run,
            Pause::Until(due) => Front::Until(due),
            Pause::Dead { skip, .. } => skip.map_or(Front::Closed, Front::Until),
            Pause::Spent { .. } => Front::Until(now_ms),
        }
    }

    /// Puts jobs back that did not run, or are to run again: to their places.
    pub(super) fn put_back(&mut self, jobs: VecDeque<Job>) {
        for mut job in jobs.into_iter().rev() {
            match job.kept.take() {
                Some(entry) => drop(self.kept.insert(job.number, entry)),
                None => self.queue.push_front(job),
            }
        }
    }

    /// Whether more jobs wait in memory than may.
    pub(super) fn is_crowded(&self, now_ms: u64, followers_max: usize) -> bool {
        if self.queue.is_empty() || self.is_listed || !self.refused.is_empty() || self.key.is_none()
        {
            return false;
        }
        let many = self.queue.len() > followers_max;
        if !self.in_run.is_empty() {
            // What runs is to be kept too, and nothing before it may be refused any more.
            return many && self.is_slow(now_ms) && self.uncommitted == 0;
        }
        self.kept.values().next().is_some_and(|first| match first.wait {
            Pause::Dead { .. } | Pause::Spent { .. } => true,
            Pause::Until(due) => many || due > now_ms.saturating_add(LONG_MS),
            Pause::Held => many,
        }) || (many && self.is_slow(now_ms))
    }

    /// Whether it waits behind a dead letter, with nothing on its way.
    pub(super) fn is_stuck_at(&self, now_ms: u64) -> bool {
        let is_idle = !self.is_running
            && self.uncommitted == 0
            && self.refused.is_empty()
            && self.edits.is_empty();
        let first = self.kept.values().next();
        is_idle
            && self.queue.is_empty()
            && first.is_some_and(|first| match first.wait {
                Pause::Dead { skip, .. } => {
                    first.is_durable() && skip.is_none_or(|due| due > now_ms)
                }
                Pause::Held | Pause::Until(_) | Pause::Spent { .. } => false,
            })
    }

    /// Whether what it runs takes long.
    pub(super) fn is_slow(&self, now_ms: u64) -> bool {
        self.is_running && now_ms.saturating_sub(self.since_ms) >= LONG_MS
    }
}
