//! What comes in: records → envelopes → lanes.

use std::sync::Arc;

use super::Consume;
use super::admit::{Admission, Came};
use super::commit::{Ticket, Work};
use super::decode::Invalid;
use super::lane::Job;
use super::parked::Flow;
use crate::broker::{Lost, Record};
use crate::committed::RecordRef;
use crate::envelope::Envelope;
use crate::failure::RunError;
use crate::status::FullStream;
use crate::store::{Claim, Entry, InvalidMessage, Subject};
use crate::stream::{Position, StreamId, check_key};

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
                Err(reason) => {
                    let position = self.settled_with_it(&record, &reason, &mut digest);
                    self.on_invalid(record, reference, &reason, position)?;
                }
            }
        }
        Ok(())
    }

    /// The position that is settled with an undecodable record: that which its sender gave it, if
    /// the digest says so. A damaged record proves nothing: the message that it was may still come.
    fn settled_with_it(
        &mut self,
        record: &Record,
        reason: &Invalid,
        digest: &mut Vec<u8>,
    ) -> Option<Envelope> {
        match reason {
            Invalid::Limit { .. } | Invalid::Key(_) => self.decoder.trusted(record, digest),
            _ => None,
        }
    }

    /// Records that the broker has no more: told, and settled as passed.
    pub(super) fn on_lost(&mut self, lost: Lost) -> Result<(), RunError> {
        let Lost { partition, first, next } = lost;
        let Some(last) = next.checked_sub(1).filter(|last| *last >= first) else { return Ok(()) };
        let records = next - first;
        tracing::error!(
            target: "endwise::service", service = &*self.wiring.service,
            topic = &*partition.topic, partition = partition.partition, first, last, records,
            "the broker has lost records that were not handled",
        );
        self.counts.count_lost(records);
        let partition = Arc::new(partition);
        self.queue(Subject::Passed { partition, first, last }, Vec::new(), Ticket::Record)
    }

    /// The message in a record, with the key that its type gives it where the sender names none,
    /// or is none of ours.
    pub(super) fn envelope(
        &mut self,
        record: &Record,
        digest: &mut Vec<u8>,
    ) -> Result<Envelope, Invalid> {
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
        trusted: Option<Envelope>,
    ) -> Result<(), RunError> {
        let Record { partition, offset, .. } = &record;
        let position = Position::Foreign(Arc::clone(partition), *offset);
        if self.admit.see(&position, 0) != Came::New {
            let (partition, first) = (Arc::clone(partition), *offset);
            let passed = Subject::Passed { partition, first, last: first };
            return self.queue(passed, vec![reference], Ticket::Record);
        }
        tracing::warn!(
            target: "endwise::invalid", service = &*self.wiring.service, record = %position,
            %reason, "a record is no message: it is put on the list of those",
        );
        self.counts.count_invalid(1);
        // What some handlers have begun is left to the others.
        let trusted = trusted.filter(|one| {
            !self.admit.is_begun(&one.position)
                && self.admit.see(&one.position, one.time_ms) == Came::New
        });
        let is_other = matches!(reason, Invalid::Other { .. });
        let invalid = InvalidMessage {
            at_ms: self.clock.now_ms(),
            partition: Arc::clone(partition),
            offset: *offset,
            reason: reason.to_string(),
            key: record.key.as_deref().map(str::to_owned),
            headers: record.headers.as_bytes().clone(),
            body: record.body,
            is_whole: true,
            claim: if is_other { Claim::Other } else { Claim::Open },
        };
        let mut invalid = Box::new(invalid);
        let Some(envelope) = trusted else {
            return self.queue(Subject::Invalid(invalid), vec![reference], Ticket::Record);
        };
        invalid.claim = Claim::Settled;
        let (position, floor) = (envelope.position, envelope.context.floor);
        let ticket = Ticket::NotMine(position.clone(), envelope.time_ms);
        let message = invalid;
        self.queue(Subject::InvalidOf { message, position, floor }, vec![reference], ticket)
    }

    /// A known position with another message: kept on the list, and an alarm.
    fn on_other(&mut self, envelope: Envelope, reference: RecordRef) -> Result<(), RunError> {
        let position = Box::new(envelope.position);
        tracing::error!(
            target: "endwise::mismatch", service = &*self.wiring.service, %position,
            record = %format_args!("{}@{}", reference.partition, reference.offset),
            type_name = &*envelope.type_name, key = envelope.key.as_deref(),
            "a known position came with another message: it is put on the list of undecodable \
             records; its sender's store was put back from an older copy",
        );
        self.counts.count_mismatched();
        let record = Record {
            partition: Arc::clone(&reference.partition),
            offset: reference.offset,
            token: reference.token,
            key: envelope.key,
            headers: envelope.headers,
            body: envelope.body,
        };
        self.on_invalid(record, reference, &Invalid::Other { position }, None)
    }

    fn on_envelope(&mut self, envelope: Envelope, record: RecordRef) -> Result<(), RunError> {
        if self.parked.is_empty() {
            return self.enter(envelope, record);
        }
        let stream = match &envelope.position {
            Position::Stream(stream, sequence) => {
                if self.parked.is_before(stream, *sequence) {
                    return self.park(envelope, record);
                }
                Some(Arc::clone(stream))
            }
            Position::Foreign(..) => None,
        };
        self.enter(envelope, record)?;
        // A hole may be gone.
        stream.map_or(Ok(()), |stream| self.unpark(&stream))
    }

    /// A message for which its stream has no place waits.
    fn park(&mut self, envelope: Envelope, record: RecordRef) -> Result<(), RunError> {
        let Position::Stream(stream, sequence) = &envelope.position else { return Ok(()) };
        let (stream, sequence) = (Arc::clone(stream), *sequence);
        if self.parked.lowest(&stream).is_none() {
            tracing::error!(
                target: "endwise::limits", service = &*self.wiring.service, %stream,
                holes = self.admit.holes(&stream), sequence,
                "nothing more is taken of a stream: so many of its messages never came; find out \
                 why, or take them for lost with `endwise streams accept-lost`",
            );
        }
        // What waits here is not in flight: others are to have their room.
        self.state.records -= 1;
        self.state.bytes -= record.bytes;
        let partition = Arc::clone(&record.partition);
        if self.parked.put(&stream, sequence, (envelope, record)) == Flow::Pause {
            self.consumer.pause(&partition);
        }
        self.tell_full();
        Ok(())
    }

    /// Takes what waits of a stream, as far as it has a place.
    pub(super) fn unpark(&mut self, stream: &Arc<StreamId>) -> Result<(), RunError> {
        let mut any = false;
        while let Some(sequence) = self.parked.lowest(stream)
            && self.admit.has_place(stream, sequence)
        {
            any = true;
            for ((envelope, record), flow) in self.parked.take(stream) {
                self.state.records += 1;
                self.state.bytes += record.bytes;
                if flow == Flow::Resume {
                    self.consumer.resume(&record.partition);
                }
                self.enter(envelope, record)?;
            }
        }
        if any {
            self.tell_full();
        }
        Ok(())
    }

    /// Says which streams are full.
    fn tell_full(&self) {
        let full = self.parked.streams().map(|(stream, waiting)| FullStream {
            stream: stream.to_string().into(),
            holes: self.admit.holes(stream),
            waiting: waiting as u64,
        });
        self.vitals.full_streams.send_replace(full.collect());
    }

    fn enter(&mut self, envelope: Envelope, record: RecordRef) -> Result<(), RunError> {
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
                let time_ms = envelope.time_ms;
                let subject = self.unhandled(envelope)?;
                self.queue(subject, vec![record], Ticket::NotMine(position, time_ms))?;
            }
            Admission::Other => self.on_other(envelope, record)?,
            Admission::Full => self.park(envelope, record)?,
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

    /// All handlers that a message's position has here, by their names.
    pub(super) fn handlers_of(&self, envelope: &Envelope, handlers: &[usize]) -> Arc<[Arc<str>]> {
        match self.wiring.route(&envelope.topic, &envelope.type_name) {
            Some(route) => Arc::clone(&route.names),
            None => handlers.iter().filter_map(|h| self.wiring.name(*h)).collect(),
        }
    }

    fn enter_lanes(&mut self, envelope: Envelope, handlers: Vec<usize>) {
        let names = self.handlers_of(&envelope, &handlers);
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
