//! Undecodable records that an operator asks to be decoded again: those that are messages now leave
//! their list, in one commit with what becomes of them.

use std::sync::Arc;

use super::Consume;
use super::admit::Admission;
use super::lane::{KeptJob, Pause};
use crate::broker::Record;
use crate::envelope::{Envelope, Headers};
use crate::failure::RunError;
use crate::operator::Fate;
use crate::store::{Claim, InvalidMessage, Keep, Subject, Wait};
use crate::stream::{Key, Position};

/// Bytes that one record may have, times the handlers that take it: it is stored for each, and all
/// of it in one commit.
pub(crate) const STORED_BYTES_MAX: usize = 64 << 20;

/// What becomes of a record of the list.
pub(super) enum Again {
    /// It leaves the list with this.
    Leaves(Box<Subject>, Leaving),
    /// It stays, or is not there.
    Stays(Fate),
}

/// A record that leaves the list once that is durable.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) number: u64,
    /// What goes into the lanes then.
    pub(crate) deliveries: Vec<Stored>,
    /// Its position, and when its sender committed it, if it is a message that is new.
    pub(crate) came: Option<(Position, u64)>,
}

impl Leaving {
    /// One of which nothing comes.
    pub(crate) fn of(number: u64) -> Self {
        Leaving { number, deliveries: Vec::new(), came: None }
    }
}

/// A delivery that the store keeps, and its lane.
#[derive(Debug)]
pub(crate) struct Stored {
    number: u64,
    component: Option<usize>,
    key: Option<Key>,
    entry: KeptJob,
}

impl Consume {
    /// Decodes and admits a record of the list as if it had just come.
    ///
    /// Nothing but what this loop has queued takes a record off the list, so one that is there and
    /// not leaving is there when its commit is made.
    pub(super) async fn decode_again(&mut self, number: u64) -> Result<Again, RunError> {
        if self.state.open.leaves(number) {
            return Ok(Again::Stays(Fate::Missing));
        }
        let found = self.reader.invalid(number.checked_sub(1), 1).await?;
        let Some((_, message)) = found.into_iter().find(|(found, _)| *found == number) else {
            return Ok(Again::Stays(Fate::Missing));
        };
        let is_settled = message.claim == Claim::Settled;
        let envelope = match self.message_in(message) {
            Ok(envelope) => envelope,
            Err(reason) => return Ok(Again::Stays(Fate::Refused(reason))),
        };
        let Position::Stream(stream, _) = &envelope.position else {
            return self.admit_again(number, envelope, true);
        };
        let stream = Arc::clone(stream);
        let again = self.admit_again(number, envelope, is_settled)?;
        // A hole may be gone.
        self.unpark(&stream)?;
        Ok(again)
    }

    /// The message in a record, or why there is none still.
    fn message_in(&mut self, message: InvalidMessage) -> Result<Envelope, String> {
        if !message.is_whole {
            return Err("it was too long to be stored whole: its sender must send it again".into());
        }
        if message.claim == Claim::Other {
            return Err(
                "its position belongs to another message: its sender must send it again".into()
            );
        }
        let record = Record {
            partition: message.partition,
            offset: message.offset,
            token: 0,
            key: message.key.map(Key::from),
            headers: Headers::written(message.headers),
            body: message.body,
        };
        let envelope =
            self.envelope(&record, &mut Vec::new()).map_err(|reason| reason.to_string())?;
        let route = self.wiring.route(&envelope.topic, &envelope.type_name);
        let handlers = route.map_or(1, |route| route.handlers.len());
        let bytes = envelope.headers.as_bytes().len() + envelope.body.len() + 5 * handlers;
        if bytes.saturating_mul(handlers) > STORED_BYTES_MAX {
            return Err(format!(
                "{handlers} handlers take it, and {bytes} bytes for each are more than the \
                 {STORED_BYTES_MAX} of one commit: its sender must send it again"
            ));
        }
        Ok(envelope)
    }

    fn admit_again(
        &mut self,
        number: u64,
        envelope: Envelope,
        was_settled: bool,
    ) -> Result<Again, RunError> {
        let admission = self.admit.admit_listed(&envelope, was_settled, &self.wiring);
        let (position, floor) = (envelope.position.clone(), envelope.context.floor);
        let time_ms = envelope.time_ms;
        tracing::info!(
            target: "endwise::invalid", service = &*self.wiring.service, number, %position,
            ?admission, "a record of the list is a message now",
        );
        let (keeps, deliveries) = match admission {
            Admission::Duplicate | Admission::Joined => {
                self.counts.count_duplicates(1);
                let subject = Box::new(Subject::InvalidDiscarded { number });
                return Ok(Again::Leaves(subject, Leaving::of(number)));
            }
            Admission::Other => {
                let reason = "its position is known, and belongs to another message";
                return Ok(Again::Stays(Fate::Refused(reason.into())));
            }
            Admission::Full => {
                let reason = "its stream has as many holes as one may have";
                return Ok(Again::Stays(Fate::Refused(reason.into())));
            }
            Admission::NotMine => match self.unhandled(envelope)? {
                Subject::Kept(keep) => (vec![*keep], Vec::new()),
                _ => (Vec::new(), Vec::new()),
            },
            Admission::Start(handlers) => self.stored(envelope, &handlers),
        };
        let came = Some((position.clone(), time_ms));
        let subject = Subject::InvalidTaken { number, position, was_settled, floor, keeps };
        Ok(Again::Leaves(Box::new(subject), Leaving { number, deliveries, came }))
    }

    /// A delivery of each handler. Later messages of its key have gone before it, so it is late.
    fn stored(&mut self, envelope: Envelope, handlers: &[usize]) -> (Vec<Keep>, Vec<Stored>) {
        let names = self.handlers_of(&envelope, handlers);
        let bytes = envelope.headers.as_bytes().len() + envelope.body.len();
        let (envelope, since_ms) = (Arc::new(envelope), self.clock.steady_ms());
        let stored = handlers.iter().map(|&handler| {
            let keep = Keep {
                number: self.lanes.reserve(),
                position: envelope.position.clone(),
                floor: envelope.context.floor,
                handler: self.wiring.name(handler).unwrap_or_default(),
                handlers: Arc::clone(&names),
                message: Some(Arc::clone(&envelope)),
                wait: Wait::Held,
                attempts: 0,
                late: true,
                failure: None,
            };
            let entry = KeptJob {
                handler,
                position: keep.position.clone(),
                since_ms,
                wait: Pause::Held,
                attempts: 0,
                late: true,
                bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
                uncommitted: 0,
                is_suspect: false,
            };
            let (component, key) = (self.wiring.lane_of(handler), envelope.key.clone());
            let stored = Stored { number: keep.number, component, key, entry };
            (keep, stored)
        });
        stored.unzip()
    }

    /// A record has left the list: its deliveries are durable, and go into their lanes.
    pub(super) fn enter_stored(&mut self, leaving: Leaving) {
        for Stored { number, component, key, entry } in leaving.deliveries {
            self.lanes.recover(number, component, key.as_ref(), entry);
        }
    }
}
