//! Probation: what ran when the process died runs alone, before anything else, so that a message
//! that kills the process is known by name. And the marks by which it is known.

use super::dispatch::Ran;
use super::lane::{Job, Run};
use super::{Consume, failed_line};
use crate::hash::FastMap;
use crate::marks::{Company, Marks, Suspects};
use crate::stream::Position;

/// How long the loop waits for what ran when the process died, after the last of it that came or
/// was done. Other records do not count: one that the broker has lost must not keep them waiting.
const WAIT_MS: u64 = 5_000;

/// What is marked, and what is suspected.
#[derive(Debug)]
pub(crate) struct Probation {
    marks: Marks,
    suspects: Suspects,
    /// Whether a single delivery ran when the process died: then it is known which.
    is_only_one: bool,
    /// Until when those that have not come are waited for; not before the first look.
    until_ms: Option<u64>,
    /// How many lanes of each batch run.
    batches: FastMap<u64, usize>,
    next_batch: u64,
}

impl Probation {
    /// With what the last process left.
    pub(crate) fn new(mut marks: Marks, suspects: Suspects) -> Self {
        if suspects.is_empty() {
            // What it found was done before the process died.
            marks.acquit();
        }
        let (is_only_one, batches) = (suspects.len() == 1, FastMap::default());
        Probation { marks, suspects, is_only_one, until_ms: None, batches, next_batch: 0 }
    }

    pub(crate) fn is_suspect(&self, position: &Position, handler: &str) -> bool {
        self.suspects.contains(position, handler)
    }
}

impl Consume {
    /// Whether what ran when the process died runs alone now.
    pub(super) fn is_probation(&self) -> bool {
        !self.probation.suspects.is_empty()
    }

    /// Whether a handler ran for a message when the process died.
    pub(super) fn is_suspect(&self, position: &Position, handler: usize) -> bool {
        self.is_probation()
            && self
                .wiring
                .handlers
                .get(handler)
                .is_some_and(|known| self.probation.is_suspect(position, &known.name))
    }

    /// Ends probation when nothing is left of it, or what is left does not come.
    pub(super) fn look_at_probation(&mut self, now_ms: u64) {
        if !self.is_probation() {
            return;
        }
        let count = self.probation.suspects.len();
        self.vitals.probation.set(count);
        let until = *self.probation.until_ms.get_or_insert_with(|| {
            tracing::warn!(
                target: "endwise::probation", service = &*self.wiring.service, count,
                "the process died: what ran then runs alone first",
            );
            now_ms.saturating_add(WAIT_MS)
        });
        if !self.is_probing() && (until <= now_ms || !self.has_room()) {
            self.end_probation();
        }
    }

    fn end_probation(&mut self) {
        self.probation.suspects = Suspects::default();
        self.probation.marks.acquit();
        self.vitals.probation.set(0);
        tracing::info!(
            target: "endwise::probation", service = &*self.wiring.service,
            "what ran when the process died has run alone, or was done",
        );
    }

    /// Until when what has not come is waited for, while nothing runs alone: the end of that is
    /// waited for, and no time.
    pub(super) fn probation_until(&self) -> Option<u64> {
        self.probation.until_ms.filter(|_| self.is_probation() && !self.is_probing())
    }

    /// Whether what runs alone, or what became of it, is on its way.
    fn is_probing(&self) -> bool {
        self.state.lanes > 0 || self.state.uncommitted > 0 || self.lanes.has_ready_suspect()
    }

    /// One more came, or is done: the rest is waited for anew.
    pub(super) fn extend_probation(&mut self) {
        if let Some(until) = &mut self.probation.until_ms {
            *until = self.clock.steady_ms().saturating_add(WAIT_MS);
        }
    }

    /// One delivery that ran when the process died, if nothing else runs. One that was charged too
    /// often is given up instead.
    pub(super) fn next_suspect(&mut self) -> Option<Run> {
        if self.state.lanes > 0 {
            return None;
        }
        let mut run = self.lanes.start_suspect()?;
        let (handler, position) = run.first()?;
        let known = self.wiring.handlers.get(handler)?;
        let charges = self.probation.suspects.charges(position, &known.name);
        let most = known.on_failure.crashes;
        if charges < most {
            let key = self.lanes.message_key(run.lane).map(|key| &**key);
            self.tell_suspect(&known.name, &failed_line::about(key, position), charges, most);
        }
        run.condemned = (charges >= most).then_some(charges);
        Some(run)
    }

    /// Names what the process died of, where that is known.
    fn tell_suspect(&self, handler: &str, about: &str, charges: u32, most: u32) {
        let service = &*self.wiring.service;
        if charges > 0 {
            tracing::warn!(
                target: "endwise::probation", service,
                "the process died while handler {handler:?} ran alone {about} ({charges} of \
                 {most}): it runs alone again",
            );
        } else if self.probation.is_only_one {
            tracing::warn!(
                target: "endwise::probation", service,
                "the process died while handler {handler:?} ran {about}: it runs alone first",
            );
        }
    }

    /// Marks what is about to run.
    pub(super) fn mark(&mut self, runs: &mut [Run]) {
        let company = if self.is_probation() { Company::Alone } else { Company::Others };
        self.probation.next_batch += 1;
        let batch = self.probation.next_batch;
        runs.iter_mut().for_each(|run| run.batch = batch);
        self.probation.batches.insert(batch, runs.len());
        let handlers = &self.wiring.handlers;
        let entries = runs.iter().filter(|run| run.condemned.is_none()).flat_map(Run::deliveries);
        let named = entries
            .filter_map(|(handler, position)| Some((position, &*handlers.get(handler)?.name)));
        self.probation.marks.begin(batch, company, named);
    }

    /// A lane of a marked batch has ended.
    pub(super) fn unmark(&mut self, ran: &Ran) {
        let Some(left) = self.probation.batches.get_mut(&ran.batch) else { return };
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.probation.batches.remove(&ran.batch);
            self.probation.marks.end(ran.batch);
        }
        if self.probation.batches.is_empty() {
            self.probation.marks.flush();
        }
    }

    /// What became of a delivery is durable: it is suspected no more.
    pub(super) fn clear(&mut self, job: &Job) {
        if job.is_suspect {
            self.clear_one(&job.envelope.position, job.handler);
        }
    }

    /// A message came again that is done: none of its handlers is suspected any more.
    pub(super) fn clear_all(&mut self, position: &Position) {
        if self.is_probation() {
            (0..self.wiring.handlers.len()).for_each(|handler| self.clear_one(position, handler));
        }
    }

    fn clear_one(&mut self, position: &Position, handler: usize) {
        let Some(name) = self.wiring.name(handler) else { return };
        self.probation.marks.forget(position, &name);
        if !self.probation.suspects.contains(position, &name) {
            return;
        }
        self.extend_probation();
        self.probation.suspects.remove(position, &name);
        if self.probation.suspects.is_empty() && self.probation.until_ms.is_some() {
            self.end_probation();
        }
    }

    /// The loop has ended in order: there is nothing to suspect.
    pub(super) fn close_marks(&mut self) {
        std::mem::replace(&mut self.probation.marks, Marks::off()).close();
    }
}
