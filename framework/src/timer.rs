//! Timer: lets go what has waited for its time, and sends what is scheduled. It awaits the next
//! due time, and never looks before.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use crate::broker::Broker;
use crate::clock::Clock;
use crate::consume::commit::Work;
use crate::due::{Due, earliest};
use crate::failure::RunError;
use crate::queue::Queue;
use crate::store::{Entry, Reader, Scheduled, Subject, Timer as Waiting};

mod ticks;

pub(crate) use ticks::Ticks;

/// How many messages are let go, or sent, in one piece of work.
const CHUNK: usize = 1_024;

/// Their bytes, unless a single one has more: all of them are written in one commit.
const CHUNK_BYTES: usize = 4 << 20;

/// How many of the store's timers are read at first; more while they are small.
const PAGE_MIN: usize = 16;

/// Lets messages go at their times, as fast as the store and the broker take them.
pub(crate) struct Timer {
    pub(crate) reader: Arc<dyn Reader>,
    pub(crate) clock: Clock,
    pub(crate) work: Queue<Work>,
    pub(crate) broker: Arc<dyn Broker>,
    /// How many messages are committed and not confirmed by the broker.
    pub(crate) open: watch::Receiver<usize>,
    pub(crate) outbox_max: usize,
    pub(crate) due: Due,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) schedules: Vec<Ticks>,
}

/// The committer has gone: the service is ending, and what is due is let go after the next start.
struct Ended;

impl Timer {
    /// Runs until it is stopped. What is due and not committed by then, is after the next start.
    pub(crate) async fn run(mut self) -> Result<(), RunError> {
        let mut stop = self.stop.clone();
        tokio::select! {
            biased;
            // An error says that nobody is left to raise the flag.
            _ = stop.wait_for(|is_raised| *is_raised) => Ok(()),
            ended = self.work() => ended,
        }
    }

    async fn work(&mut self) -> Result<(), RunError> {
        let mut changes = self.due.changes();
        if self.begin().await?.is_err() {
            return Ok(());
        }
        loop {
            self.due.look();
            let looked = self.clock.read();
            let next = match self.let_go().await? {
                Ok(next) => next,
                Err(Ended) => return Ok(()),
            };
            let ticks = self.schedules.iter().filter_map(Ticks::next_ms).min();
            self.due.looked(earliest(next, ticks));
            changes.mark_unchanged();
            // What was made between the look and here is in it.
            while let first = self.due.first()
                && let now = self.clock.read()
                && first.is_none_or(|first| first > now.wall_ms)
                // Schedules may have to begin anew then.
                && !now.was_set_back_since(looked)
            {
                tokio::select! {
                    biased;
                    changed = changes.changed() => if changed.is_err() { return Ok(()) },
                    () = self.clock.sleep_towards(first) => {}
                }
            }
        }
    }

    /// Takes the schedules up where they were, with what was missed.
    async fn begin(&mut self) -> Result<Result<(), Ended>, RunError> {
        let (now_ms, stored) = (self.clock.now_ms(), self.reader.schedules().await?);
        let mut entries = self.forgotten(&stored);
        for ticks in &mut self.schedules {
            let stored = stored.iter().find(|stored| stored.name == *ticks.name());
            entries.extend(ticks.begin(stored, now_ms));
        }
        self.hand_on_all(entries).await
    }

    /// What takes note of schedules that the app has no more: one that comes back begins anew.
    fn forgotten(&self, stored: &[Scheduled]) -> Vec<Entry> {
        let is_there = |name: &str| self.schedules.iter().any(|ticks| **ticks.name() == *name);
        let gone = stored.iter().filter(|stored| !is_there(&stored.name));
        gone.map(|stored| {
            tracing::info!(
                target: "endwise::timer", schedule = &*stored.name, cron = &*stored.cron,
                "the app has no schedule of this name any more: it is forgotten",
            );
            let name = Arc::clone(&stored.name);
            Entry::of(Subject::ScheduleGone { name }, Vec::new())
        })
        .collect()
    }

    /// Hands on what is due now; when the next of the store's timers is due.
    async fn let_go(&mut self) -> Result<Result<Option<u64>, Ended>, RunError> {
        let mut page = PAGE_MIN;
        loop {
            let now_ms = self.clock.now_ms();
            let ticks = self.schedules.iter_mut().flat_map(|ticks| ticks.due(now_ms)).collect();
            if self.hand_on_all(ticks).await?.is_err() {
                return Ok(Err(Ended));
            }
            let timers = self.reader.timers(None, page).await?;
            let due = timers.iter().take_while(|timer| timer.id.due_ms <= now_ms);
            let due: Vec<&Waiting> = due.collect();
            if due.is_empty() {
                return Ok(Ok(timers.first().map(|timer| timer.id.due_ms)));
            }
            // To read a page is to read its messages.
            let bytes: usize = due.iter().map(|timer| timer.bytes).sum();
            let largest = if bytes < CHUNK_BYTES { page * 2 } else { page / 2 };
            page = largest.clamp(PAGE_MIN, CHUNK);
            // Only what is durable is gone from the store: nothing is read twice.
            if self.hand_on_all(released(&due)).await?.is_err() {
                return Ok(Err(Ended));
            }
        }
    }

    /// Hands entries to the committer, as there is room for what they send, and waits until they
    /// are durable. One that is refused was cancelled or sent before.
    async fn hand_on_all(
        &mut self,
        mut entries: Vec<Entry>,
    ) -> Result<Result<(), Ended>, RunError> {
        while !entries.is_empty() {
            let room = self.room().await?;
            let rest = entries.split_off(fits(&entries, room));
            let (reply, verdicts) = oneshot::channel();
            self.work.push([Work::Intake(entries, reply, None)])?;
            if verdicts.await.is_err() {
                return Ok(Err(Ended));
            }
            entries = rest;
        }
        Ok(Ok(()))
    }

    /// Waits until the broker and the outbox have room; for how many messages the outbox has.
    async fn room(&mut self) -> Result<usize, RunError> {
        self.broker.room().await?;
        loop {
            let open = *self.open.borrow_and_update();
            let room = self.outbox_max.saturating_sub(open);
            // An error says that the committer has gone; the service is ending then.
            if room > 0 || self.open.changed().await.is_err() {
                return Ok(room);
            }
        }
    }
}

/// What lets these go: as many as one commit takes, and at least one. The rest is read again.
fn released(due: &[&Waiting]) -> Vec<Entry> {
    let mut bytes = 0;
    let fits = |timer: &&&Waiting| {
        bytes += timer.bytes;
        bytes <= CHUNK_BYTES
    };
    let fit = due.iter().take_while(fits).count().max(1);
    let release = |timer: &&Waiting| Entry::of(Subject::Released { timer: timer.id }, Vec::new());
    due.iter().take(fit).map(release).collect()
}

/// How many of these entries go together: as many as there is room for, and at least one.
fn fits(entries: &[Entry], room: usize) -> usize {
    let mut weight = 0;
    let fits = |entry: &&Entry| {
        weight += Work::weight_of(std::slice::from_ref(*entry));
        weight <= CHUNK
    };
    entries.iter().take(room).take_while(fits).count().max(1)
}
