//! The consume loop: fetch, decode, admit, lanes, dispatch, commit, settle. A stage a file; each
//! takes what the one before it made.

use std::sync::Arc;

use tokio::sync::watch;

use crate::broker::{Consumer, Record};
use crate::committed::RecordRef;
use crate::envelope::Envelope;
use crate::failure::RunError;
use crate::limits::Limits;
use crate::policy::Order;
use crate::queue::Queue;
use crate::store::{Entry, Reader, Subject, Verdict};
use crate::stream::{Position, check_key};
use crate::tasks::Tasks;
use crate::wiring::Wiring;

pub(crate) mod admit;
pub(crate) mod commit;
pub(crate) mod decode;
pub(crate) mod dispatch;
pub(crate) mod lane;

use admit::{Admission, Admit};
use commit::{Settled, Ticket, Work};
use decode::Decoder;
pub use decode::Invalid;
use dispatch::Ran;
use lane::{Job, LaneId, Lanes, Run};

/// The loop of one service.
pub(crate) struct Consume {
    pub(crate) wiring: Arc<Wiring>,
    pub(crate) consumer: Box<dyn Consumer>,
    pub(crate) reader: Arc<dyn Reader>,
    pub(crate) limits: Limits,
    pub(crate) admit: Admit,
    pub(crate) decoder: Decoder,
    pub(crate) lanes: Lanes,
    pub(crate) ended: Queue<Ran>,
    pub(crate) work: Queue<Work>,
    pub(crate) settled: Queue<Settled>,
    pub(crate) open: watch::Receiver<usize>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) counts: Arc<crate::service::Counts>,
    pub(crate) tasks: Tasks<Result<(), RunError>>,
    pub(crate) state: InFlight,
}

/// How often records may be refused in a row.
const REFUSED_MAX: u32 = 1_000;

/// What is on its way through the loop.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    records: usize,
    bytes: usize,
    /// Lanes that run.
    lanes: usize,
    /// Outcomes that are queued for commit.
    uncommitted: usize,
    /// What those send.
    sends: usize,
    /// What stops the service once everything on its way has ended.
    failure: Option<RunError>,
}

impl Consume {
    /// Runs until it is stopped or fails; everything on its way is committed first.
    pub(crate) async fn run(mut self) -> Result<(), RunError> {
        loop {
            let is_stopping = *self.stop.borrow() || self.state.failure.is_some();
            if is_stopping && self.is_drained() {
                return self.state.failure.map_or(Ok(()), Err);
            }
            // One look at the outbox decides all of it: between two looks the relay may empty it,
            // and the loop would neither go on nor wait for a change.
            let unsent = *self.open.borrow_and_update() + self.state.sends;
            let is_held_up = unsent >= self.limits.outbox_max;
            if !is_held_up {
                self.start_lanes();
            }
            let may_fetch = !is_stopping && !is_held_up && self.has_room();
            tokio::select! {
                biased;
                settled = self.settled.take(usize::MAX) => self.on_settled(settled).await?,
                ended = self.ended.take(usize::MAX) => self.on_ended(ended)?,
                Some(task) = self.tasks.ended() => task??,
                records = self.consumer.fetch(self.limits.fetch_max, self.limits.fetch_bytes_max),
                    if may_fetch => self.on_records(records?)?,
                // The sender lives as long as this loop; an error here would only spin.
                _ = self.open.changed(), if is_held_up => {}
                _ = self.stop.changed(), if !is_stopping => {}
            }
        }
    }

    /// Whether nothing is on its way. Jobs that wait behind a failure do not count: they were not
    /// started, and their records stay unacknowledged.
    fn is_drained(&self) -> bool {
        let waits = self.state.records > 0 && self.state.failure.is_none();
        self.state.lanes == 0 && self.state.uncommitted == 0 && !waits
    }

    fn has_room(&self) -> bool {
        self.state.records < self.limits.in_flight_max
            && self.state.bytes < self.limits.in_flight_bytes_max
    }

    fn on_records(&mut self, records: Vec<Record>) -> Result<(), RunError> {
        for record in &records {
            let reference = RecordRef::of(record);
            self.state.records += 1;
            self.state.bytes += reference.bytes;
            self.counts.count_fetched(1);
            match self.envelope(record) {
                Ok(envelope) => self.on_envelope(envelope, reference)?,
                Err(reason) => {
                    self.fail(RunError::Invalid {
                        service: Arc::clone(&self.wiring.service),
                        record: format!("{}@{}", record.partition, record.offset).into(),
                        reason,
                    });
                    // What comes behind it in this fetch is not begun.
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The message in a record, with the key that its type gives it where the sender names none,
    /// or is none of ours.
    fn envelope(&mut self, record: &Record) -> Result<Envelope, Invalid> {
        let wiring = &self.wiring;
        let only_type = || wiring.only_type(&record.partition.topic);
        let mut envelope = self.decoder.decode(record, only_type)?;
        let is_foreign = matches!(envelope.position, Position::Foreign(..));
        if (is_foreign || envelope.key.is_none())
            && let Some(route) = wiring.route(&envelope.topic, &envelope.type_name)
        {
            let own = (route.key_of)(&envelope.body)
                .map_err(|error| Invalid::Key(error.to_string().into()))?;
            envelope.key = own.or(envelope.key);
        }
        let key = envelope.key.as_deref().unwrap_or_default();
        check_key(key).map_err(|error| Invalid::Key(error.to_string().into()))?;
        Ok(envelope)
    }

    fn on_envelope(&mut self, envelope: Envelope, record: RecordRef) -> Result<(), RunError> {
        let admission = self.admit.admit(&envelope, &record, &self.wiring);
        tracing::trace!(target: "endwise::admit", position = %envelope.position, ?admission);
        let position = envelope.position.clone();
        match admission {
            Admission::Joined => self.counts.count_duplicates(1),
            Admission::Duplicate => {
                self.counts.count_duplicates(1);
                self.settle_with(position.clone(), vec![record], Ticket::Copy(position, 0))?;
            }
            Admission::NotMine => {
                let floor = envelope.context.floor;
                let ticket = Ticket::NotMine(position.clone());
                self.queue(Subject::NotMine { position, floor }, vec![record], ticket)?;
            }
            Admission::Start(handlers) => self.enter_lanes(envelope, handlers),
        }
        Ok(())
    }

    /// Records of a position that is settled, or will be by an outcome that is queued, take the
    /// same door as an outcome. If that one is refused, so are they.
    fn settle_with(
        &mut self,
        position: Position,
        records: Vec<RecordRef>,
        ticket: Ticket,
    ) -> Result<(), RunError> {
        self.queue(Subject::Duplicate { position }, records, ticket)
    }

    /// Records that were refused go with their position, if it is in progress again, or behind
    /// its outcome, if that is queued again. More often than an outcome can be refused, neither is.
    fn settle_again(
        &mut self,
        at: Position,
        records: Vec<RecordRef>,
        tries: u32,
    ) -> Result<(), RunError> {
        let Some(records) = self.admit.join(&at, records) else { return Ok(()) };
        if tries >= REFUSED_MAX {
            return Err(RunError::NotSettled { position: Box::new(at) });
        }
        self.settle_with(at.clone(), records, Ticket::Copy(at, tries + 1))
    }

    fn queue(
        &mut self,
        subject: Subject,
        done: Vec<RecordRef>,
        ticket: Ticket,
    ) -> Result<(), RunError> {
        let entry = Entry {
            run: None,
            subject,
            states: Vec::new(),
            cancels: Vec::new(),
            sends: Vec::new(),
            done,
        };
        self.state.uncommitted += 1;
        Ok(self.work.push([Work::Outcome(entry, ticket)])?)
    }

    fn enter_lanes(&mut self, envelope: Envelope, handlers: Vec<usize>) {
        let route = self.wiring.route(&envelope.topic, &envelope.type_name);
        let names = match route {
            Some(route) => Arc::clone(&route.names),
            None => handlers.iter().filter_map(|h| self.wiring.name(*h)).collect(),
        };
        let envelope = Arc::new(envelope);
        for handler in handlers {
            let Some(wired) = self.wiring.handlers.get(handler) else { continue };
            let component = (wired.order == Order::Key).then_some(wired.component);
            let job =
                Job { handler, envelope: Arc::clone(&envelope), handlers: Arc::clone(&names) };
            self.lanes.add(component, envelope.key.as_ref(), job);
        }
    }

    /// Starts the lanes that are ready, some to a task, as many as may run.
    fn start_lanes(&mut self) {
        if self.state.failure.is_some() {
            return;
        }
        while self.lanes.has_ready() && self.state.lanes < self.limits.lanes_max {
            let most = self.limits.task_lanes_max.min(self.limits.lanes_max - self.state.lanes);
            let lanes = &mut self.lanes;
            let runs: Vec<Run> = std::iter::from_fn(|| lanes.start()).take(most).collect();
            self.state.lanes += runs.len();
            let (wiring, reader) = (Arc::clone(&self.wiring), Arc::clone(&self.reader));
            self.tasks.spawn(dispatch::dispatch(wiring, reader, runs, self.ended.clone()));
        }
    }

    fn on_ended(&mut self, ended: Vec<Ran>) -> Result<(), RunError> {
        let mut work = Vec::with_capacity(ended.len());
        let mut completed = Vec::new();
        for ran in ended {
            self.state.lanes -= 1;
            self.lanes.ended(ran.lane, ran.handled.len(), ran.rest, ran.states);
            for handled in ran.handled {
                let position = handled.job.envelope.position.clone();
                let (mut done, handlers) = self.admit.outcome(&position);
                if handlers > 1 && !done.is_empty() {
                    // The outcome of another handler may still be refused while this one holds,
                    // so the records go by themselves: behind all of them.
                    completed.push((position.clone(), std::mem::take(&mut done)));
                }
                let name = self.wiring.name(handled.job.handler).unwrap_or_default();
                let entry = Entry {
                    run: Some(ran.number),
                    subject: Subject::Handled {
                        position,
                        floor: handled.job.envelope.context.floor,
                        handler: name,
                        handlers: Arc::clone(&handled.job.handlers),
                        kept: None,
                    },
                    states: handled.states,
                    cancels: handled.cancels,
                    sends: handled.sends,
                    done,
                };
                let sends = entry.sends.len();
                self.state.sends += sends;
                work.push(Work::Outcome(entry, Ticket::Job(ran.lane, handled.job, sends)));
            }
            if let Some(failure) = ran.failure {
                self.fail(failure);
            }
        }
        self.state.uncommitted += work.len();
        self.work.push(work)?;
        completed.into_iter().try_for_each(|(at, records)| {
            self.settle_with(at.clone(), records, Ticket::Copy(at, 0))
        })
    }

    async fn on_settled(&mut self, settled: Vec<Settled>) -> Result<(), RunError> {
        let mut committed = Vec::with_capacity(settled.len());
        for mut settled in settled {
            self.state.uncommitted -= 1;
            committed.append(&mut settled.committed);
            match settled.ticket {
                Ticket::Job(lane, job, sends) => {
                    self.state.sends -= sends;
                    self.on_outcome(lane, job, settled.verdict, settled.refused)?
                }
                _ if settled.verdict == Verdict::Applied => {}
                Ticket::NotMine(at) => self.settle_again(at, settled.refused, 0)?,
                Ticket::Copy(at, tries) => self.settle_again(at, settled.refused, tries)?,
            }
        }
        self.state.records -= committed.len();
        self.state.bytes -= committed.iter().map(|c| c.record().bytes).sum::<usize>();
        Ok(self.consumer.settle(&committed).await?)
    }

    fn on_outcome(
        &mut self,
        lane: LaneId,
        job: Job,
        verdict: Verdict,
        records: Vec<RecordRef>,
    ) -> Result<(), RunError> {
        match verdict {
            Verdict::Applied | Verdict::Already => {
                self.counts.count_handled(job.handler);
                self.lanes.committed(lane);
            }
            Verdict::Conflict => {
                self.admit.reopen(&job.envelope.position, records);
                self.lanes.refused(lane, job);
            }
            Verdict::NotPending => {
                return Err(RunError::NotPending {
                    handler: self.wiring.name(job.handler).unwrap_or_default(),
                    position: Box::new(job.envelope.position.clone()),
                });
            }
        }
        Ok(())
    }

    /// Only the first failure is told; later ones may be its consequences.
    fn fail(&mut self, failure: RunError) {
        tracing::error!(target: "endwise::service", error = %failure, "stopping");
        self.state.failure.get_or_insert(failure);
    }
}

#[cfg(test)]
mod tests;
