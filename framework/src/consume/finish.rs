//! What has ended: outcomes → commits, and what became of them.

use std::sync::Arc;

use super::Consume;
use super::commit::{Ticket, Work};
use super::dispatch::{Handled, Ran};
use super::lane::{Job, LaneId};
use crate::committed::RecordRef;
use crate::failure::RunError;
use crate::store::{Entry, Subject, Verdict};
use crate::stream::Position;

/// Records that go by themselves, behind the outcomes of all handlers of their position.
pub(super) type Completed = Vec<(Position, Vec<RecordRef>)>;

impl Consume {
    pub(super) fn on_ended(&mut self, ended: Vec<Ran>) -> Result<(), RunError> {
        let mut work = Vec::with_capacity(ended.len());
        let mut completed = Vec::new();
        for ran in ended {
            self.unmark(&ran);
            self.state.lanes = self.state.lanes.saturating_sub(1);
            let queued = ran.handled.len();
            for mut handled in ran.handled {
                self.state.kept_bytes -= handled.job.kept_bytes();
                self.lanes.unpin(ran.lane, &mut handled.job);
                work.push(self.outcome(ran.lane, ran.number, handled, &mut completed));
            }
            if let Some(mut failed) = ran.failed {
                self.state.kept_bytes -= failed.job.kept_bytes();
                self.lanes.unpin(ran.lane, &mut failed.job);
                work.push(self.failed(ran.lane, ran.number, failed, &mut completed));
            }
            let mut rest = ran.rest;
            for job in &mut rest {
                self.state.kept_bytes -= job.kept_bytes();
                self.lanes.unpin(ran.lane, job);
            }
            self.lanes.ended(ran.lane, queued, rest, ran.states);
        }
        self.push(work, completed)
    }

    /// Hands outcomes to the committer, and then the records that go behind them.
    pub(super) fn push(&mut self, work: Vec<Work>, completed: Completed) -> Result<(), RunError> {
        self.state.uncommitted += work.len();
        self.work.push(work)?;
        completed.into_iter().try_for_each(|(at, records)| {
            self.settle_with(at.clone(), records, Ticket::Copy(at, 0))
        })
    }

    fn outcome(
        &mut self,
        lane: LaneId,
        run: u64,
        handled: Handled,
        completed: &mut Completed,
    ) -> Work {
        let Handled { job, states, cancels, sends } = handled;
        let done = self.done(&job, completed);
        let subject = Subject::Handled {
            position: job.envelope.position.clone(),
            floor: job.envelope.context.floor,
            handler: self.wiring.name(job.handler).unwrap_or_default(),
            handlers: Arc::clone(&job.handlers),
            kept: job.kept.is_some().then_some(job.number),
        };
        let entry = Entry { run: Some(run), subject, states, cancels, sends, done };
        let sends = entry.sends.len();
        self.state.sends += sends;
        Work::Outcome(entry, Ticket::Job(lane, job, sends))
    }

    /// The records that are done with an outcome.
    pub(super) fn done(&mut self, job: &Job, completed: &mut Completed) -> Vec<RecordRef> {
        if job.kept.is_some() {
            // Its records went when it was kept.
            return Vec::new();
        }
        let position = &job.envelope.position;
        let (done, handlers) = self.admit.outcome(position);
        if handlers > 1 && !done.is_empty() {
            // The outcome of another handler may still be refused while this one holds, so the
            // records go by themselves: behind all of them.
            completed.push((position.clone(), done));
            return Vec::new();
        }
        done
    }

    pub(super) fn on_outcome(
        &mut self,
        lane: LaneId,
        job: Job,
        verdict: Verdict,
        records: Vec<RecordRef>,
    ) -> Result<(), RunError> {
        match verdict {
            Verdict::Applied | Verdict::Already => {
                self.counts.count_handled(job.handler);
                self.clear(&job);
                self.lanes.committed(lane, &job);
            }
            Verdict::Conflict => {
                self.reopen(&job, records);
                self.lanes.refused(lane, job);
            }
            // The last three are for messages from outside alone.
            Verdict::NotPending | Verdict::Skipped | Verdict::Differs | Verdict::Full => {
                return Err(self.not_pending(&job));
            }
        }
        Ok(())
    }

    /// A refused outcome's position is in progress again.
    pub(super) fn reopen(&mut self, job: &Job, records: Vec<RecordRef>) {
        if job.kept.is_none() {
            self.admit.reopen(&job.envelope.position, job.envelope.digest, records);
        }
    }

    pub(super) fn not_pending(&self, job: &Job) -> RunError {
        RunError::NotPending {
            handler: self.wiring.name(job.handler).unwrap_or_default(),
            position: Box::new(job.envelope.position.clone()),
        }
    }
}
