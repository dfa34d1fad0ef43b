//! The core: one state machine, which decides all about messages. Events and the time come in;
//! rows of the frame and actions go out. It has no task, file, clock, random source, lock or
//! channel; user code runs behind [`Calls`](calls::Calls) alone.
//!
//! The way of a message: [`Core::on`] hands its record to [`Deliveries`](deliveries::Deliveries), which
//! admits it and calls its handlers. A call that is done at once leaves nothing but rows. Any other
//! becomes a *job*, which closes its lane until it has ended; what waits in the lane behind a job is
//! a job too.

pub(crate) mod action;
pub(crate) mod calls;
pub(crate) mod commits;
pub(crate) mod deliveries;
pub(crate) mod effects;
pub(crate) mod event;
pub(crate) mod inbox;
pub(crate) mod jobs;
pub(crate) mod lane;
pub(crate) mod ledger;
pub(crate) mod loading;
pub(crate) mod message;
pub(crate) mod mutants;
pub(crate) mod outbox;
pub(crate) mod plan;
pub(crate) mod positions;
pub(crate) mod recover;
pub(crate) mod requests;
pub(crate) mod retry;
pub(crate) mod rows;
pub(crate) mod seams;
pub(crate) mod streams;
pub(crate) mod work;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use action::Action;
use calls::{Begun, Calls};
use commits::Commits;
use deliveries::Deliveries;
use event::{CommitEnd, Event, Now};
use mutants::Mutant;
use plan::Plan;
use seams::{Hand, Health, Seams, Turn};
use streams::Streams;
use work::Next;

use crate::ids::{FrameNo, Position};
use crate::table::frame::Frame;

/// One shard: all that it knows, and all that it decides.
#[derive(Debug)]
pub(crate) struct Core {
    plan: Arc<Plan>,
    streams: Streams,
    deliveries: Deliveries,
    commits: Commits,
}

impl Core {
    /// Takes an event, and does what it leads to.
    pub(crate) fn on(&mut self, now: Now, event: Event, seams: &mut Seams<'_>) -> Turn {
        let plan = Arc::clone(&self.plan);
        let gathering = self.commits.gathering();
        let hand = &mut Hand { now, gathering, plan: &plan, seams };
        match event {
            Event::Records(records) => {
                self.streams.translate(&records.names, hand.seams.frame);
                self.deliveries.work.add_records(records);
            }
            Event::Woken(runs) => self.deliveries.work.add_woken(runs),
            Event::HandlerReady(handler) => self.deliveries.handler_ready(handler),
            Event::Loaded(rows) => {
                for (id, row) in rows {
                    if let Err(error) = self.deliveries.loaded(id, row.as_ref()) {
                        hand.seams.actions.push(Action::Damaged(error));
                    }
                }
            }
            Event::Committed(no, end) => self.committed(no, end, hand.seams.actions),
            Event::Request(ticket, request) => {
                let reply = self.deliveries.request(request, hand);
                self.commits.reply(ticket, reply);
            }
            Event::Go => {}
        }
        self.deliveries.tick(hand);
        self.run_turn(hand)
    }

    fn run_turn(&mut self, hand: &mut Hand<'_, '_>) -> Turn {
        let calls = hand.plan.limits.turn_calls;
        self.announce(calls, hand);
        for _ in 0..calls {
            if hand.seams.frame.is_full() {
                return Turn::Full;
            }
            let work = &mut self.deliveries.work;
            let next = if self.commits.may_work() { work.next() } else { None };
            match next {
                Some(Next::Woken(run)) => self.deliveries.woken(run, hand),
                Some(Next::Lane(lane)) => self.deliveries.resume(lane, hand),
                Some(Next::Record(partition, record)) => {
                    // A number that its dictionary lacks: the record stays where it is.
                    if let Some(stream) = self.streams.at(record.stream, record.slot) {
                        self.deliveries.record(partition, stream, record, hand);
                    }
                }
                None => return Turn::Idle { wake_mono_ms: self.deliveries.jobs.next_due() },
            }
        }
        Turn::More
    }

    /// Names what this turn may call for the records that come next: once, before any of it runs.
    fn announce(&self, most: usize, hand: &mut Hand<'_, '_>) {
        let mut begun = Vec::new();
        for record in self.deliveries.work.ahead().iter().take(most) {
            if let Some(stream) = self.streams.at(record.stream, record.slot) {
                let position = Position { stream, sequence: record.sequence };
                let handlers = hand.plan.handlers_of(record.route).iter();
                begun.extend(handlers.map(|&handler| Begun { position, handler }));
            }
        }
        if !begun.is_empty() {
            hand.seams.calls.begin(&begun);
        }
    }

    /// Seals the frame that was gathered; `None` while one is on its way, or nothing is to be said.
    /// The driver then hands the frame to the store, and an empty one to the next turn.
    pub(crate) fn seal(&mut self, now: Now, frame: &mut Frame) -> Option<FrameNo> {
        if self.commits.flying().is_some() {
            return None;
        }
        let has_news = !frame.is_empty() || self.deliveries.positions.has_news();
        if !has_news && !self.commits.has_replies() {
            return None;
        }
        let no = self.commits.seal()?;
        self.deliveries.positions.seal(no, &self.plan, frame);
        self.deliveries.effects.outbox.seal(frame);
        (frame.no, frame.time_ms) = (no, now.wall_ms);
        Some(no)
    }

    fn committed(&mut self, no: FrameNo, end: CommitEnd, actions: &mut Vec<Action>) {
        if self.commits.flying() != Some(no) {
            return;
        }
        match end {
            CommitEnd::Durable => {
                self.deliveries.jobs.durable(no);
                let settled = self.deliveries.positions.durable(no);
                if !settled.is_empty() {
                    actions.push(Action::Settle(settled));
                }
                let replies = self.commits.durable(no).into_iter();
                actions.extend(replies.map(|(ticket, reply)| Action::Reply(ticket, reply)));
            }
            CommitEnd::NoRoom => {
                self.commits.no_room();
                actions.push(Action::CommitAgain(no));
            }
            CommitEnd::Absent if !mutants::holds(Mutant::AbsentIsDurable) => {
                self.committed(no, CommitEnd::Durable, actions);
            }
            CommitEnd::Absent => actions.push(Action::CommitAgain(no)),
            CommitEnd::Unknown => actions.push(Action::Resolve(no)),
            CommitEnd::Fenced => {
                self.commits.fenced();
                actions.push(Action::Rebuild);
            }
        }
    }

    /// Returns whether more records may be handed in.
    pub(crate) fn has_room(&self) -> bool {
        let Deliveries { work, positions, .. } = &self.deliveries;
        let is_below = positions.inbox.in_progress() < self.plan.limits.in_flight;
        self.commits.may_work() && work.ahead().is_empty() && is_below
    }

    pub(crate) fn health(&self) -> Health {
        let Deliveries { work, positions, jobs, loading, .. } = &self.deliveries;
        let is_flying = self.commits.flying().is_some();
        let is_waited_for = jobs.gauges().running > 0 || !loading.is_empty() || is_flying;
        Health {
            jobs: jobs.gauges(),
            in_progress: positions.inbox.in_progress(),
            is_idle: work.is_empty() && !is_waited_for,
            is_out_of_room: self.commits.is_out_of_room(),
        }
    }

    /// Ends without a further word: pending calls are dropped.
    pub(crate) fn close(self, calls: &mut dyn Calls) {
        self.deliveries.jobs.runs().for_each(|run| calls.cancel(run));
    }
}
