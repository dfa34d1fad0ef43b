//! The consume loop: fetch, decode, admit, lanes, dispatch, commit, settle. A stage a file; each
//! takes what the one before it made.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::broker::Consumer;
use crate::clock::Clock;
use crate::failure::RunError;
use crate::limits::Limits;
use crate::message::json::ReadBack;
use crate::operator::Requests;
use crate::queue::Queue;
use crate::store::limits::RUNS_MAX;
use crate::store::{Reader, Totals, Verdict};
use crate::tasks::Tasks;
use crate::vitals::Vitals;
use crate::watchdog::Watchdog;
use crate::wiring::Wiring;

pub(crate) mod admit;
pub(crate) mod commit;
pub(crate) mod decode;
pub(crate) mod dispatch;
pub(crate) mod lane;
pub(crate) mod retry;

// The loop itself: what comes in, what has ended, what an operator asks, how it stops.
mod arrive;
mod drain;
mod failed_line;
mod finish;
mod keep;
pub(crate) mod parked;
pub(crate) mod probation;
pub(crate) mod replay_invalid;
mod requests;
mod room;
mod unhandled;

use admit::Admit;
use commit::{Settled, Ticket, Work};
use decode::Decoder;
pub use decode::Invalid;
use dispatch::{Dispatcher, Ran};
use drain::Drain;
use lane::{Lanes, Run};
use parked::Parked;
use probation::Probation;
use requests::Open;

/// The loop of one service.
pub(crate) struct Consume {
    pub(crate) wiring: Arc<Wiring>,
    pub(crate) consumer: Box<dyn Consumer>,
    pub(crate) reader: Arc<dyn Reader>,
    pub(crate) clock: Clock,
    pub(crate) seed: u64,
    pub(crate) limits: Limits,
    pub(crate) admit: Admit,
    pub(crate) parked: Parked,
    pub(crate) decoder: Decoder,
    pub(crate) lanes: Lanes,
    pub(crate) ended: Queue<Ran>,
    pub(crate) work: Queue<Work>,
    pub(crate) settled: Queue<Settled>,
    pub(crate) requests: Requests,
    /// How many messages are committed and not confirmed by the broker.
    pub(crate) open: watch::Receiver<usize>,
    /// How much the store keeps.
    pub(crate) totals: watch::Receiver<Totals>,
    pub(crate) stop: watch::Receiver<bool>,
    /// How long what is in progress may take once it is told to stop.
    pub(crate) drain: Duration,
    pub(crate) counts: Arc<crate::service::Counts>,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) tasks: Tasks<Result<(), RunError>>,
    pub(crate) probation: Probation,
    /// Counts what handlers write, some of which is read back.
    pub(crate) read_back: Arc<ReadBack>,
    pub(crate) watchdog: Watchdog,
    pub(crate) state: InFlight,
}

/// What is on its way through the loop.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    records: usize,
    bytes: usize,
    /// Lanes that run.
    lanes: usize,
    /// Bytes of kept messages that were read for them.
    kept_bytes: usize,
    /// Outcomes that are queued for commit.
    uncommitted: usize,
    /// What those send.
    sends: usize,
    /// When the age of what is held is to be looked at, as all times here by the steady clock.
    age_look_ms: Option<u64>,
    /// When slow lanes are to be looked for, while nothing can be fetched.
    slow_look_ms: Option<u64>,
    /// How far stopping has got.
    drain: Drain,
    /// What an operator has asked for and not been told of.
    open: Open,
    /// How many random numbers were drawn.
    drawn: u64,
    /// The types that no handler takes of which it was warned.
    warned: unhandled::Warned,
}

/// Records that are fetched at a time and may be in flight, at most, whatever is set: each may be
/// a hole in what is settled of its stream and its partition.
pub(crate) const FETCH_MAX: usize = 4_096;
pub(crate) const IN_FLIGHT_MAX: usize = 32_768;

/// The runs that a stream may have, as far as what is in flight leaves room for them in the store.
pub(crate) fn runs_max(limits: &Limits) -> usize {
    let open = limits.in_flight_max.min(IN_FLIGHT_MAX) + limits.fetch_max.min(FETCH_MAX);
    RUNS_MAX - open
}

/// How often the loop looks for slow lanes while nothing can be fetched, in milliseconds.
const SLOW_LOOK_MS: u64 = 1_000;

impl Consume {
    /// Runs until it is stopped or fails; what is in progress is committed first, within the
    /// drain's time.
    pub(crate) async fn run(mut self) -> Result<(), RunError> {
        loop {
            self.look()?;
            if self.has_ended() {
                // What ended at the very deadline is committed too.
                let ended = self.ended.take_now(usize::MAX);
                if !ended.is_empty() {
                    self.on_ended(ended)?;
                    continue;
                }
                self.close_marks();
                return Ok(());
            }
            let is_held_up = self.is_held_up();
            if !is_held_up && !self.is_over() {
                self.start_lanes();
            }
            let may_fetch = !self.is_stopping() && !is_held_up && self.has_room();
            let wake = self.next_look(may_fetch);
            tokio::select! {
                biased;
                settled = self.settled.take(usize::MAX) => self.on_settled(settled).await?,
                ended = self.ended.take(usize::MAX) => self.on_ended(ended)?,
                Some(task) = self.tasks.ended() => task??,
                requests = self.requests.take(usize::MAX), if self.may_ask() =>
                    self.on_requests(requests).await?,
                records = self.consumer.fetch(
                    self.limits.fetch_max.min(FETCH_MAX), self.limits.fetch_bytes_max,
                ), if may_fetch => {
                    let records = records?;
                    for lost in self.consumer.lost() {
                        self.on_lost(lost)?;
                    }
                    self.on_records(records)?;
                }
                // The senders live as long as this loop; an error here would only spin.
                _ = self.open.changed(), if is_held_up => {}
                _ = self.totals.changed(), if is_held_up => {}
                () = self.clock.sleep_until_steady(wake) => {}
                _ = self.stop.changed(), if !self.is_stopping() => {}
            }
        }
    }

    /// Looks at the clock: lanes whose time has come go on, followers that are too many are held.
    fn look(&mut self) -> Result<(), RunError> {
        let now = self.clock.steady_ms();
        self.lanes.set_now(now);
        self.look_at_stop(now);
        self.look_at_probation(now);
        if self.state.slow_look_ms.is_some_and(|due| due <= now) {
            self.state.slow_look_ms = None;
            self.lanes.list_slow();
        }
        self.look_at_age(now);
        for spent in self.lanes.wake() {
            self.spend(spent)?;
        }
        if !self.is_probation() {
            for hold in self.lanes.holds() {
                self.hold(hold)?;
            }
        }
        self.queue_edits()?;
        self.tell_live();
        self.vitals.in_flight.set(self.state.records);
        let records = self.state.records;
        self.vitals.fetched.send_if_modified(|told| std::mem::replace(told, records) != records);
        self.vitals.in_flight_bytes.set(self.state.bytes);
        self.counts.tell(&self.vitals, now);
        Ok(())
    }

    /// Says how many lanes go on by themselves.
    fn tell_live(&self) {
        let live = self.lanes.live();
        self.vitals.live.send_if_modified(|told| std::mem::replace(told, live) != live);
    }

    /// When the loop has to look again, if nothing else happens.
    fn next_look(&mut self, may_fetch: bool) -> Option<u64> {
        let slow = if may_fetch || self.state.lanes == 0 {
            None
        } else {
            let due = self.clock.steady_ms().saturating_add(SLOW_LOOK_MS);
            Some(self.state.slow_look_ms.unwrap_or(due))
        };
        self.state.slow_look_ms = slow;
        let (wake, stop) = (self.lanes.next_wake(), self.state.drain.deadline());
        let others = [self.probation_until(), self.state.age_look_ms];
        [slow, wake, stop].into_iter().chain(others).flatten().min()
    }

    /// Starts the lanes that are ready, some to a task, as many as may run.
    fn start_lanes(&mut self) {
        if self.is_probation() {
            if let Some(run) = self.next_suspect() {
                self.start_runs(vec![run]);
            }
            return;
        }
        while self.lanes.has_ready()
            && self.state.lanes < self.limits.lanes_max
            && self.state.kept_bytes < self.limits.in_flight_bytes_max
        {
            let most = self.limits.task_lanes_max.min(self.limits.lanes_max - self.state.lanes);
            // A run's kept messages are read for it, so each counts before the next one begins.
            let (lanes, limit) = (&mut self.lanes, self.limits.in_flight_bytes_max);
            let mut bytes = self.state.kept_bytes;
            let next = || {
                let run = if bytes < limit { lanes.start()? } else { return None };
                bytes += run.kept_bytes();
                Some(run)
            };
            let runs: Vec<Run> = std::iter::from_fn(next).take(most).collect();
            // None of those that were ready may run after all: a batch of none would be marked as
            // running for ever.
            if runs.is_empty() {
                return;
            }
            self.start_runs(runs);
        }
    }

    fn start_runs(&mut self, mut runs: Vec<Run>) {
        self.mark(&mut runs);
        self.state.lanes += runs.len();
        self.state.kept_bytes += runs.iter().map(Run::kept_bytes).sum::<usize>();
        let dispatcher = Dispatcher {
            wiring: Arc::clone(&self.wiring),
            reader: Arc::clone(&self.reader),
            clock: self.clock.clone(),
            watch: self.watchdog.watch(),
            vitals: Arc::clone(&self.vitals),
            limits: self.limits.of_messages(),
            read_back: Arc::clone(&self.read_back),
        };
        self.tasks.spawn(dispatcher.run(runs, self.ended.clone()));
    }

    async fn on_settled(&mut self, settled: Vec<Settled>) -> Result<(), RunError> {
        let mut committed = Vec::with_capacity(settled.len());
        for mut settled in settled {
            self.state.uncommitted -= 1;
            committed.append(&mut settled.committed);
            let (verdict, refused) = (settled.verdict, settled.refused);
            match settled.ticket {
                Ticket::Job(lane, job, sends) => {
                    self.state.sends -= sends;
                    self.on_outcome(lane, job, verdict, refused)?;
                }
                Ticket::Kept(lane, job) => self.on_kept(lane, job, verdict, refused)?,
                Ticket::Spent(number) => self.lanes.spent(number),
                Ticket::Asked(answer) => self.on_answer(answer, verdict),
                Ticket::StateSet(lane, answer) => {
                    lane.into_iter().for_each(|lane| self.lanes.edited(lane));
                    self.on_answer(answer, verdict);
                }
                _ if verdict == Verdict::Applied => {}
                Ticket::Record => {}
                Ticket::NotMine(at, _) => self.settle_again(at, refused, 0)?,
                Ticket::Copy(at, tries) => self.settle_again(at, refused, tries)?,
            }
        }
        self.state.records -= committed.len();
        self.state.bytes -= committed.iter().map(|c| c.record().bytes).sum::<usize>();
        Ok(self.consumer.settle(&committed).await?)
    }
}

impl Drop for Consume {
    fn drop(&mut self) {
        // Whoever still waits for an answer is told that there is none.
        self.requests.close();
    }
}

#[cfg(test)]
mod tests;
