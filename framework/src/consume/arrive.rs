//! What comes in: records → envelopes → lanes.

use std::sync::Arc;

use super::Consume;
use super::admit::Admission;
use super::commit::{Ticket, Work};
use super::decode::Invalid;
use super::lane::Job;
use crate::broker::Record;
use crate::committed::RecordRef;
use crate::envelope::Envelope;
use crate::failure::RunError;
use crate::store::{Entry, InvalidMessage, Subject};
use crate::stream::{Position, check_key};

/// How often records may be refused in a row.
const REFUSED_MAX: u32 = 1_000;

impl Consume {
    pub(super) fn on_records(&mut self, records: Vec<Record>) -> Result<(), RunError> {
        let mut digest = Vec::new();
        for record in records {
            let reference = RecordRef::of(&record);
            self.state.records += 1;
            self.state.bytes += reference.bytes;
            self.counts.count_fetched(1);
            match self.envelope(&record, &mut digest) {
                Ok(envelope) => self.on_envelope(envelope, reference)?,
                Err(reason) => self.on_invalid(record, reference, &reason)?,
            }
        }
        Ok(())
    }

    /// The message in a record, with the key that its type gives it where the sender names none,
    /// or is none of ours.
    fn envelope(&mut self, record: &Record, digest: &mut Vec<u8>) -> Result<Envelope, Invalid> {
        let wiring = &self.wiring;
        let only_type = || wiring.only_type(&record.partition.topic);
        let mut envelope = self.decoder.decode(record, only_type)?;
        // What was changed on the way may name a wrong position: nothing is to be done for that.
        if !envelope.digest_fits(digest) {
            return Err(Invalid::Digest);
        }
        let is_foreign = matches!(envelope.position, Position::Foreign(..));
        if (is_foreign || envelope.key.is_none())
            && let Some(route) = wiring.route(&envelope.topic, &envelope.type_name)
        {
            if is_foreign {
                let json = serde_json::from_slice::<serde::de::IgnoredAny>(&envelope.body);
                json.map_err(|error| Invalid::Body(error.to_string().into()))?;
            }
            // Where the type does not read its body, its handler says so: in the order of the key that
            // the sender or the record names, or of none.
            envelope.key = route.own_key(&envelope.body).or(envelope.key);
        }
        let key = envelope.key.as_deref().unwrap_or_default();
        check_key(key).map_err(|error| Invalid::Key(error.to_string().into()))?;
        Ok(envelope)
    }

    /// A record that is no message is put on the list of those, as it came.
    fn on_invalid(
        &mut self,
        record: Record,
        reference: RecordRef,
        reason: &Invalid,
    ) -> Result<(), RunError> {
        let Record { partition, offset, .. } = &record;
        let position = Position::Foreign(Arc::clone(partition), *offset);
        if !self.admit.see(&position) {
            let (partition, first) = (Arc::clone(partition), *offset);
            let passed = Subject::Passed { partition, first, last: first };
            return self.queue(passed, vec![reference], Ticket::Record);
        }
        tracing::warn!(
            target: "endwise::invalid", service = &*self.wiring.service, record = %position,
            %reason, "a record is no message: it is put on the list of those",
        );
        self.counts.count_invalid(1);
        let invalid = InvalidMessage {
            at_ms: self.clock.now_ms(),
            record: position.to_string(),
            reason: reason.to_string(),
            key: record.key.as_deref().map(str::to_owned),
            headers: record.headers.as_bytes().clone(),
            body: record.body,
        };
        self.queue(Subject::Invalid(Box::new(invalid)), vec![reference], Ticket::Record)
    }

    fn on_envelope(&mut self, envelope: Envelope, record: RecordRef) -> Result<(), RunError> {
        let admission = self.admit.admit(&envelope, &record, &self.wiring);
        tracing::trace!(target: "endwise::admit", position = %envelope.position, ?admission);
        let position = envelope.position.clone();
        match admission {
            Admission::Joined => self.counts.count_duplicates(1),
            Admission::Duplicate => {
                self.clear_all(&position);
                self.counts.count_duplicates(1);
                self.settle_with(position.clone(), vec![record], Ticket::Copy(position, 0))?;
            }
            Admission::NotMine => {
                let subject = self.unhandled(envelope);
                self.queue(subject, vec![record], Ticket::NotMine(position))?;
            }
            Admission::Start(handlers) => self.enter_lanes(envelope, handlers),
        }
        Ok(())
    }

    /// Records of a position that is settled, or will be by an outcome that is queued, take the
    /// same door as an outcome. If that one is refused, so are they.
    pub(super) fn settle_with(
        &mut self,
        position: Position,
        records: Vec<RecordRef>,
        ticket: Ticket,
    ) -> Result<(), RunError> {
        self.queue(Subject::Duplicate { position }, records, ticket)
    }

    /// Records that were refused go with their position, if it is in progress again, or behind
    /// its outcome, if that is queued again. More often than an outcome can be refused, neither is.
    pub(super) fn settle_again(
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

    /// Queues an entry that is about nothing but its subject.
    pub(super) fn queue(
        &mut self,
        subject: Subject,
        done: Vec<RecordRef>,
        ticket: Ticket,
    ) -> Result<(), RunError> {
        self.state.uncommitted += 1;
        Ok(self.work.push([Work::Outcome(Entry::of(subject, done), ticket)])?)
    }

    fn enter_lanes(&mut self, envelope: Envelope, handlers: Vec<usize>) {
        let route = self.wiring.route(&envelope.topic, &envelope.type_name);
        let names = match route {
            Some(route) => Arc::clone(&route.names),
            None => handlers.iter().filter_map(|h| self.wiring.name(*h)).collect(),
        };
        let envelope = Arc::new(envelope);
        for handler in handlers {
            let is_suspect = self.is_suspect(&envelope.position, handler);
            if is_suspect {
                self.extend_probation();
            }
            let job = Job {
                handler,
                envelope: Arc::clone(&envelope),
                handlers: Arc::clone(&names),
                number: 0,
                kept: None,
                is_suspect,
            };
            self.lanes.add(self.wiring.lane_of(handler), envelope.key.as_ref(), job);
        }
    }
}
