//! What is kept: deliveries that failed, those held behind them, and those that a lane goes on
//! without.

use std::sync::Arc;

use super::Consume;
use super::commit::{Ticket, Work};
use super::dispatch::Failed;
use super::failed_line::{self, Cut};
use super::finish::Completed;
use super::lane::{Hold, Job, LaneId, Pause, Spent};
use super::retry;
use crate::committed::RecordRef;
use crate::failure::RunError;
use crate::policy::OnFailure;
use crate::random;
use crate::store::{Entry, Failure, Keep, Subject, Verdict, Wait};

impl Consume {
    /// A failed attempt: its delivery is kept, and its lane is closed, from now on in memory, and
    /// with the commit for good.
    pub(super) fn failed(
        &mut self,
        lane: LaneId,
        run: u64,
        failed: Failed,
        completed: &mut Completed,
    ) -> Work {
        let Failed { job, how, errors } = failed;
        let (attempts, late) = job.kept.as_deref().map_or((0, false), |k| (k.attempts, k.late));
        let attempts = attempts.saturating_add(1);
        let clocks = self.clock.read();
        let now = clocks.wall_ms;
        let random = self.random();
        let policy = self.wiring.handlers.get(job.handler).map(|handler| &handler.on_failure);
        let wait_max = policy.map(OnFailure::wait_max).unwrap_or_default();
        let wait = policy.map_or(Wait::Dead { since_ms: now, skip_ms: None }, |policy| {
            retry::wait(policy, how, attempts, late, now, random)
        });
        self.tell(&job, &wait, attempts, now, &errors.join(": "));
        let failure = Failure { at_ms: now, attempt: attempts, how, errors };
        let pause = Pause::of(&wait, clocks, wait_max);
        self.lanes.keep(lane, &job, pause, attempts, late);
        let done = self.done(&job, completed);
        let keep = Keep { attempts, late, failure: Some(failure), ..self.keeping(&job, wait) };
        let subject = Subject::Kept(Box::new(keep));
        let entry = Entry { run: Some(run), ..Entry::of(subject, done) };
        Work::Outcome(entry, Ticket::Kept(lane, job))
    }

    /// Logs what failed, and what becomes of it: a line that fits a terminal, key first. A message
    /// without a key is named by the end of its position.
    fn tell(&self, job: &Job, wait: &Wait, attempt: u32, now_ms: u64, error: &str) {
        let name = self.wiring.name(job.handler).unwrap_or_default();
        let (handler, key) = (&*name, job.envelope.key.as_deref());
        let service = &*self.wiring.service;
        let position = key.is_none().then(|| failed_line::end_of(&job.envelope.position));
        let place = if key.is_some() { "key=\"\"" } else { "position=" };
        let place = format!("{place}{}", position.as_deref().unwrap_or_default());
        let position = position.as_deref().map(tracing::field::display);
        match wait {
            Wait::Dead { .. } => {
                self.counts.count_dead(job.handler);
                let number = job.number;
                let rest = format!(
                    "endwise::dead: given up {place} handler={handler:?} service={service:?} \
                     number={number} attempt={attempt} error=\"\""
                );
                let Cut { key, error } = failed_line::cut(&rest, key, error);
                tracing::error!(
                    target: "endwise::dead", key, position, handler, service, number, attempt,
                    error, "given up"
                );
            }
            Wait::Until(due) => {
                self.counts.count_retried(job.handler);
                let again_in_ms = due.saturating_sub(now_ms);
                let rest = |service: &str| {
                    format!(
                        "endwise::retry: failed {place} handler={handler:?}{service} \
                         attempt={attempt} again_in_ms={again_in_ms} error=\"\""
                    )
                };
                // It gives way to key and error: no number is to be looked up here.
                let with_service = rest(&format!(" service={service:?}"));
                let has_room = failed_line::has_room(&with_service, key, error);
                let service = has_room.then_some(service);
                let rest = if has_room { with_service } else { rest("") };
                let Cut { key, error } = failed_line::cut(&rest, key, error);
                tracing::warn!(
                    target: "endwise::retry", key, position, handler, service, attempt,
                    again_in_ms, error, "failed"
                );
            }
            Wait::Held | Wait::Unhandled => return,
        }
        tracing::debug!(
            target: "endwise::failed", key, position = %job.envelope.position, handler, service,
            attempt, error, "the whole of it"
        );
    }

    /// Followers of a closed lane are held by the store.
    pub(super) fn hold(&mut self, hold: Hold) -> Result<(), RunError> {
        let Hold { lane, run, jobs } = hold;
        tracing::debug!(target: "endwise::hold", count = jobs.len(), "held");
        self.counts.count_held(jobs.len() as u64);
        let (mut work, mut completed) = (Vec::with_capacity(jobs.len()), Vec::new());
        for job in jobs {
            let done = self.done(&job, &mut completed);
            let subject = Subject::Kept(Box::new(self.keeping(&job, Wait::Held)));
            let entry = Entry { run: Some(run), ..Entry::of(subject, done) };
            work.push(Work::Outcome(entry, Ticket::Kept(lane, job)));
        }
        self.push(work, completed)
    }

    /// A delivery as it is to be kept, with no attempt made.
    fn keeping(&self, job: &Job, wait: Wait) -> Keep {
        Keep {
            number: job.number,
            position: job.envelope.position.clone(),
            floor: job.envelope.context.floor,
            handler: self.wiring.name(job.handler).unwrap_or_default(),
            handlers: Arc::clone(&job.handlers),
            message: job.kept.is_none().then(|| Arc::clone(&job.envelope)),
            wait,
            attempts: 0,
            late: false,
            failure: None,
        }
    }

    /// A dead letter's time has come: its lane goes on without it, once that is written down.
    pub(super) fn spend(&mut self, spent: Spent) -> Result<(), RunError> {
        let Spent { number, entry, since_ms } = spent;
        let handler = self.wiring.name(entry.handler).unwrap_or_default();
        tracing::warn!(
            target: "endwise::gap", service = &*self.wiring.service, number,
            handler = &*handler, position = %entry.position,
            "its key goes on without this dead letter",
        );
        let keep = Keep {
            number,
            position: entry.position,
            floor: 0,
            handler,
            handlers: Arc::from([]),
            message: None,
            wait: Wait::Dead { since_ms, skip_ms: Some(0) },
            attempts: entry.attempts,
            late: entry.late,
            failure: None,
        };
        self.queue(Subject::Kept(Box::new(keep)), Vec::new(), Ticket::Spent(number))
    }

    pub(super) fn on_kept(
        &mut self,
        lane: LaneId,
        job: Job,
        verdict: Verdict,
        records: Vec<RecordRef>,
    ) -> Result<(), RunError> {
        match verdict {
            Verdict::Applied | Verdict::Already => {
                self.clear(&job);
                self.lanes.kept(lane, &job);
            }
            Verdict::Conflict => {
                self.reopen(&job, records);
                self.lanes.keep_refused(lane, job);
            }
            // The last three are for messages from outside alone.
            Verdict::NotPending | Verdict::Skipped | Verdict::Differs | Verdict::Full => {
                return Err(self.not_pending(&job));
            }
        }
        Ok(())
    }

    /// The next random number that follows from the seed.
    fn random(&mut self) -> u64 {
        self.state.drawn += 1;
        random::nth(self.seed, self.state.drawn)
    }
}
