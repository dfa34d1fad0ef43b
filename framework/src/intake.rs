//! Intake: messages from outside, on their way to their commit.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use crate::broker::Broker;
use crate::clock::Clock;
use crate::consume::commit::Work;
use crate::failure::RunError;
use crate::outcome::Send as Message;
use crate::queue::Queue;
use crate::status::RoomIn;
use crate::store::{Entry, Once, Subject, Totals, Verdict};
use crate::vitals::{Coming, Vitals};

mod error;
mod once;
mod producer;

pub use error::IntakeError;
pub(crate) use producer::Arrivals;
pub use producer::{Accepted, Producer, Sent};

/// Messages from outside that are on their way to the store, by weight: large ones count for
/// several.
const COMMITTING_MAX: usize = 8_192;

/// How many messages from outside are handed on at a time.
const CHUNK: usize = 512;

/// Messages from outside that take their place together, with whoever waits for them.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) messages: Vec<Numbered>,
    pub(crate) reply: oneshot::Sender<Vec<Verdict>>,
    /// Their places among those that wait; given back when they are handed on.
    pub(crate) places: OwnedSemaphorePermit,
    /// Counts them until they are committed.
    pub(crate) coming: Coming,
}

/// A message, with what says whether it was sent before.
#[derive(Debug)]
pub(crate) struct Numbered {
    pub(crate) from: From,
    pub(crate) message: Message,
}

/// What a message from outside is known by.
#[derive(Clone, Debug)]
pub(crate) enum From {
    /// Nothing: sent again, it is another one.
    Nowhere,
    /// Its source, and its number there.
    Number(Arc<str>, u64),
    /// Its id.
    Once(Box<Once>),
}

impl From {
    fn subject(self) -> Subject {
        match self {
            From::Nowhere => Subject::Intake { from: None },
            From::Number(source, number) => Subject::Intake { from: Some((source, number)) },
            From::Once(once) => Subject::Once(once),
        }
    }
}

/// Lets messages in as fast as the store and the broker take them.
pub(crate) struct Intake {
    pub(crate) arrivals: Queue<Arrival>,
    pub(crate) work: Queue<Work>,
    pub(crate) broker: Arc<dyn Broker>,
    /// How many messages are committed and not confirmed by the broker.
    pub(crate) open: watch::Receiver<usize>,
    pub(crate) outbox_max: usize,
    /// How much the store keeps.
    pub(crate) totals: watch::Receiver<Totals>,
    pub(crate) timers_max: u64,
    pub(crate) clock: Clock,
    pub(crate) vitals: Arc<Vitals>,
    /// How long what was sent before a stop may take to be handed on.
    pub(crate) drain: Duration,
    pub(crate) stop: watch::Receiver<bool>,
}

impl Intake {
    /// Runs until it is stopped. What was sent by then is handed on all the same, within the time to
    /// drain; beyond that it is not sent, and whoever waits for it is told.
    pub(crate) async fn run(mut self) -> Result<(), RunError> {
        let committing = Arc::new(Semaphore::new(COMMITTING_MAX));
        let mut stop = self.stop.clone();
        loop {
            tokio::select! {
                biased;
                () = until(&mut stop) => break,
                arrivals = self.admitted() => self.hand_on(arrivals?, &committing).await?,
            }
        }
        // Who calls now is told so. Those before may be nobody's any more who could send again.
        self.arrivals.seal();
        let (clock, drain) = (self.clock.clone(), self.drain);
        let handed_on = clock.timeout(drain, self.hand_on_all(&committing)).await;
        handed_on.unwrap_or_else(|| {
            let left = self.arrivals.take_now(usize::MAX);
            let messages: usize = left.iter().map(|arrival| arrival.messages.len()).sum();
            tracing::error!(
                target: "endwise::service", messages,
                "the time to drain is over: messages that were sent in before the stop are not \
                 durable; whoever still waits for one is told",
            );
            Ok(())
        })
    }

    /// Hands on what is there, whatever room there is at the broker: that it be durable is all
    /// that is promised, and it goes out after the next start.
    async fn hand_on_all(&mut self, committing: &Arc<Semaphore>) -> Result<(), RunError> {
        while let arrivals = self.arrivals.take_now(CHUNK)
            && !arrivals.is_empty()
        {
            self.hand_on(arrivals, committing).await?;
        }
        Ok(())
    }

    /// What has arrived, once there is room for it.
    async fn admitted(&mut self) -> Result<Vec<Arrival>, RunError> {
        let waits = Arc::clone(&self.vitals);
        let note = |room_in| waits.waits.intake(room_in, self.clock.now_ms());
        let mut room = self.broker.room();
        match poll_fn(|context| Poll::Ready(room.as_mut().poll(context))).await {
            Poll::Ready(room) => room?,
            Poll::Pending => {
                let _waiting = note(RoomIn::Broker);
                room.await?;
            }
        }
        // An error says that the committer has gone; the service is ending then.
        if *self.open.borrow_and_update() >= self.outbox_max {
            let _waiting = note(RoomIn::Outbox);
            let _ = self.open.wait_for(|open| *open < self.outbox_max).await;
        }
        if self.totals.borrow_and_update().timers >= self.timers_max {
            let _waiting = note(RoomIn::Timers);
            let _ = self.totals.wait_for(|totals| totals.timers < self.timers_max).await;
        }
        Ok(self.arrivals.take(CHUNK).await)
    }

    async fn hand_on(
        &mut self,
        arrivals: Vec<Arrival>,
        committing: &Arc<Semaphore>,
    ) -> Result<(), RunError> {
        for Arrival { messages, reply, places, coming } in arrivals {
            let entries = messages.into_iter().map(|Numbered { from, message }| Entry {
                run: None,
                subject: from.subject(),
                states: Vec::new(),
                cancels: Vec::new(),
                sends: vec![message],
                done: Vec::new(),
            });
            let entries: Vec<Entry> = entries.collect();
            let weight = Work::weight_of(&entries).min(COMMITTING_MAX);
            let weight = u32::try_from(weight).unwrap_or(u32::MAX);
            let permit = Arc::clone(committing).acquire_many_owned(weight).await;
            // The semaphore is never closed.
            let Ok(permit) = permit else { return Ok(()) };
            self.work.push([Work::Intake(entries, reply, Some((permit, coming)))])?;
            drop(places);
        }
        Ok(())
    }
}

/// Waits until a flag is raised, or nobody is left to raise it.
async fn until(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|is_raised| *is_raised).await;
}

impl Drop for Intake {
    fn drop(&mut self) {
        // Whoever still waits for a place is told.
        self.arrivals.close();
    }
}
