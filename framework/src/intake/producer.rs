//! The producer: how messages come in from outside.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use futures::stream::{FuturesOrdered, Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot, watch};

use super::once::{Remembering, once};
use super::{Arrival, From, IntakeError, Numbered};
use crate::handling::is_handling;
use crate::limits::{Limits, MessageLimits};
use crate::message::Message;
use crate::message::json::ReadBack;
use crate::outgoing::{Outgoing, SendError};
use crate::queue::Queue;
use crate::schedule::EVERY;
use crate::store::{Reader, SOURCES_MAX, Verdict};
use crate::stream::check_key;
use crate::vitals::Coming;

/// Messages of a stream that take their place together.
const CHUNK: usize = 256;

/// Their bytes, unless one alone has more.
const CHUNK_BYTES: usize = 4 << 20;

/// How many such groups of a stream are on their way.
const CHUNKS_AHEAD: usize = 16;

/// Sends messages into a service from outside. A clone sends into the same service.
///
/// Inside a handler, return the message instead: only that commits with the handler's effect.
#[derive(Clone, Debug)]
pub struct Producer {
    pub(crate) arrivals: Queue<Arrival>,
    /// Places for messages that wait to be taken in.
    places: Arc<Semaphore>,
    /// How many messages were called in and are not committed.
    coming: watch::Sender<usize>,
    reader: Arc<dyn Reader>,
    /// How many messages may wait to be taken in.
    waiting_max: usize,
    /// What a message may have.
    limits: MessageLimits,
    /// Counts what is written, some of which is read back.
    read_back: Arc<ReadBack>,
    remembering: Remembering,
}

/// What became of a message that must be taken in once; it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It was taken in.
    New,
    /// The message with this number of its source, or under this id, was taken in before.
    Already,
    /// A later number of its source was taken in, and this one never was: it is not any more.
    Skipped,
}

/// What became of a stream of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// How many were taken in.
    pub new: u64,
    /// How many had been taken in before.
    pub already: u64,
    /// How many were not taken in, because later numbers had been and these had not.
    pub skipped: u64,
}

/// How many messages wait to be taken in.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    places: Arc<Semaphore>,
    places_max: usize,
}

impl Arrivals {
    /// How many at this moment.
    pub(crate) fn waiting(&self) -> u64 {
        self.places_max.saturating_sub(self.places.available_permits()) as u64
    }
}

impl Producer {
    /// How many messages wait to be taken in.
    pub(crate) fn waiting(&self) -> Arrivals {
        Arrivals { places: Arc::clone(&self.places), places_max: self.waiting_max }
    }

    pub(crate) fn new(
        limits: &Limits,
        reader: Arc<dyn Reader>,
        read_back: Arc<ReadBack>,
        coming: watch::Sender<usize>,
    ) -> Self {
        let waiting_max = limits.intake_max;
        Producer {
            arrivals: Queue::new(waiting_max),
            places: Arc::new(Semaphore::new(waiting_max)),
            coming,
            reader,
            waiting_max,
            limits: limits.of_messages(),
            read_back,
            remembering: Remembering::of(limits),
        }
    }

    /// Sends a message; returns when it is durable. Sent again it is a second message: give it a
    /// source and a number with [`send_from`](Producer::send_from) where that must not be.
    ///
    /// It takes its place among other messages when this is called. If the future is dropped,
    /// the message is sent all the same.
    pub fn send<M: Message, I: Into<Outgoing<M>>>(
        &self,
        message: I,
    ) -> impl Future<Output = Result<(), IntakeError>> + Send + use<M, I> {
        let reply = self.encode(message.into()).map_err(IntakeError::from);
        let reply =
            reply.and_then(|message| self.enter(vec![Numbered { from: From::Nowhere, message }]));
        async move { reply?.await.map(|_| ()) }
    }

    /// Sends a message that has a number at its source: a line of a file, an upload's part.
    /// Returns when it is durable. A number that was sent before is not sent again, however often
    /// the sender starts anew.
    ///
    /// Numbers rise; those that have nothing to send may be left out, and are
    /// [`Skipped`](Accepted::Skipped) once a later one was sent. Of a source with many gaps the
    /// newest 63 are known; what lies in older ones counts as sent. The message takes its place when
    /// this is called, not when the future is polled.
    ///
    /// A source is remembered until it is [retired](crate::Sources::retire); there are 10,000 at
    /// most. Where each message has a name of its own instead of a number, use
    /// [`send_once`](Self::send_once).
    pub fn send_from<M: Message, I: Into<Outgoing<M>>>(
        &self,
        source: &str,
        number: u64,
        message: I,
    ) -> impl Future<Output = Result<Accepted, IntakeError>> + Send + use<M, I> {
        let name: Arc<str> = source.into();
        let entered = || {
            check_source(&name)?;
            let message = self.encode(message.into())?;
            let from = From::Number(Arc::clone(&name), number);
            self.enter(vec![Numbered { from, message }])
        };
        let reply = entered();
        async move {
            match first(reply?.await?) {
                Verdict::Full => Err(too_many_sources(&name)),
                verdict => Ok(Accepted::of(verdict)),
            }
        }
    }

    /// Sends a message under an id that is its own: the idempotency key of an HTTP request, a
    /// payment's reference. Returns when it is durable. Sent again under this id of this source, it
    /// is [`Already`](Accepted::Already), also after a restart; another message under the id is
    /// refused with [`IntakeError::Differs`]. Two messages differ in their topic, type, key or
    /// body; their headers do not count.
    ///
    /// An id is remembered for [`Limits::ids_age_max`], and so many of them as
    /// [`Limits::ids_max`] says. It has 400 bytes at most. The message takes its place when this is
    /// called, not when the future is polled.
    pub fn send_once<M: Message, I: Into<Outgoing<M>>>(
        &self,
        source: &str,
        id: &str,
        message: I,
    ) -> impl Future<Output = Result<Accepted, IntakeError>> + Send + use<M, I> {
        let entered = || {
            check_source(source)?;
            let message = self.encode(message.into())?;
            let once = once(source, id, &message, self.remembering)?;
            let from = From::Once(Box::new(once.clone()));
            Ok::<_, IntakeError>((self.enter(vec![Numbered { from, message }])?, once))
        };
        let entered = entered();
        async move {
            let (reply, once) = entered?;
            match first(reply.await?) {
                Verdict::Full => Err(IntakeError::Ids { max: once.ids_max }),
                Verdict::Differs => Err(IntakeError::Differs {
                    source_name: once.source.to_string(),
                    id: once.id.to_string(),
                }),
                verdict => Ok(Accepted::of(verdict)),
            }
        }
    }

    /// Sends a stream of numbered messages, many at a time, as fast as the service takes them.
    /// Returns when all are durable. Numbers must rise; see [`send_from`](Producer::send_from).
    ///
    /// After an error, those before the first failed one are durable; sending the same stream
    /// again goes on where it was.
    pub async fn send_all_from<M: Message>(
        &self,
        source: &str,
        messages: impl Stream<Item = (u64, M)>,
    ) -> Result<Sent, IntakeError> {
        check_source(source)?;
        let source: Arc<str> = source.into();
        let mut groups = pin!(messages.ready_chunks(CHUNK.min(self.waiting_max)));
        let (mut replies, mut sent, mut failed) = (FuturesOrdered::new(), Sent::default(), None);
        while failed.is_none()
            && let Some(group) = groups.next().await
        {
            let mut encoded = Vec::with_capacity(group.len());
            for (number, message) in group {
                let from = From::Number(Arc::clone(&source), number);
                match self.encode(Outgoing::new(message)) {
                    Ok(message) => encoded.push(Numbered { from, message }),
                    Err(source) => {
                        failed = Some(IntakeError::Numbered { number, source });
                        break;
                    }
                }
            }
            while !encoded.is_empty() {
                if replies.len() >= CHUNKS_AHEAD
                    && let Some(reply) = replies.next().await
                {
                    sent.count(reply?, &source)?;
                }
                let rest = encoded.split_off(by_bytes(&encoded));
                let part = std::mem::replace(&mut encoded, rest);
                let places = u32::try_from(part.len()).unwrap_or(u32::MAX);
                let places = Arc::clone(&self.places).acquire_many_owned(places).await;
                replies.push_back(self.enter_at(places.map_err(|_| IntakeError::Ended)?, part)?);
            }
        }
        while let Some(reply) = replies.next().await {
            sent.count(reply?, &source)?;
        }
        failed.map_or(Ok(sent), Err)
    }

    /// The next number of a source: one above the highest that is durable, 0 at first.
    pub async fn sent_from(&self, source: &str) -> Result<u64, IntakeError> {
        Ok(self.reader.sent_from(source).await?)
    }

    /// A message as it goes out, if it is within the service's limits.
    fn encode<M: Message>(&self, message: Outgoing<M>) -> Result<crate::outcome::Send, SendError> {
        let message = message.encode(None, Some(&self.read_back))?;
        self.limits.check(&message)?;
        Ok(message)
    }

    /// Takes a place for messages; the future waits for what becomes of them.
    fn enter(
        &self,
        messages: Vec<Numbered>,
    ) -> Result<impl Future<Output = Result<Vec<Verdict>, IntakeError>> + Send + use<>, IntakeError>
    {
        let places = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        let places = Arc::clone(&self.places).try_acquire_many_owned(places);
        let places = places.map_err(|error| match error {
            TryAcquireError::NoPermits => IntakeError::Busy { max: self.waiting_max },
            TryAcquireError::Closed => IntakeError::Ended,
        })?;
        self.enter_at(places, messages)
    }

    /// The same, at places that are taken.
    fn enter_at(
        &self,
        places: OwnedSemaphorePermit,
        messages: Vec<Numbered>,
    ) -> Result<impl Future<Output = Result<Vec<Verdict>, IntakeError>> + Send + use<>, IntakeError>
    {
        if is_handling() {
            return Err(IntakeError::InHandler);
        }
        let is_last = |one: &Numbered| matches!(one.from, From::Number(_, u64::MAX));
        if messages.iter().any(is_last) {
            return Err(IntakeError::Number);
        }
        let (reply, answer) = oneshot::channel();
        let coming = Coming::new(&self.coming, messages.len());
        let arrival = Arrival { messages, reply, places, coming };
        self.arrivals.push([arrival]).map_err(|_| IntakeError::Busy { max: self.waiting_max })?;
        Ok(async move { answer.await.map_err(|_| IntakeError::Ended) })
    }
}

/// Refuses the name of a source that is too long, or a schedule's.
fn check_source(source: &str) -> Result<(), IntakeError> {
    if source.starts_with(EVERY) {
        return Err(IntakeError::Reserved { name: source.into() });
    }
    Ok(check_key(source)?)
}

/// How many of these messages go together: those of 4 MiB, and at least one.
fn by_bytes(messages: &[Numbered]) -> usize {
    let mut bytes = 0;
    let fits = |one: &&Numbered| {
        bytes += one.message.body.len() + one.message.headers.as_bytes().len();
        bytes <= CHUNK_BYTES
    };
    messages.iter().take_while(fits).count().max(1)
}

/// What became of the only message.
fn first(verdicts: Vec<Verdict>) -> Verdict {
    verdicts.into_iter().next().unwrap_or(Verdict::Applied)
}

fn too_many_sources(source: &str) -> IntakeError {
    IntakeError::Sources { source_name: source.to_owned(), max: SOURCES_MAX }
}

impl Accepted {
    fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Already => Accepted::Already,
            Verdict::Skipped => Accepted::Skipped,
            _ => Accepted::New,
        }
    }
}

impl Sent {
    fn count(&mut self, verdicts: Vec<Verdict>, source: &str) -> Result<(), IntakeError> {
        for verdict in verdicts {
            match verdict {
                Verdict::Already => self.already += 1,
                Verdict::Skipped => self.skipped += 1,
                Verdict::Full => return Err(too_many_sources(source)),
                _ => self.new += 1,
            }
        }
        Ok(())
    }
}
