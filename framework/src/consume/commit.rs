//! Commit: outcomes → durable. One committer; while a commit is on its way, outcomes gather, and
//! the next one takes them all. Nothing waits on a timer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::lane::{Asked, Job, LaneId};
use super::replay_invalid::Leaving;
use crate::clock::{Clock, Stopwatch};
use crate::committed::{Committed, RecordRef};
use crate::due::Due;
use crate::failure::RunError;
use crate::hash::FastMap;
use crate::outcome::StateChange;
use crate::queue::Queue;
use crate::service::Counts;
use crate::store::{Batch, CommitError, Durable, Entry, OutboxRow, Store, Subject, Verdict};
use crate::stream::{Position, StreamId};
use crate::vitals::{Coming, Vitals};

/// What one commit takes at most, in weights of entries, unless a single piece of work has more.
const GROUP_MAX: usize = 8_192;

/// An entry weighs one, and one more for so many bytes: a group has 32 MiB at most.
const WEIGHT_BYTES: usize = 4_096;

/// How many confirmations may wait for a commit that has something else to write.
const CONFIRMED_MAX: usize = 4_096;

/// How long a commit that found no room waits before it is tried again.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(100);

/// How often a service that is stopping tries it again.
const STOPPING_TRIES: u32 = 50;

/// The place of messages from outside on their way here, and what counts them.
pub(crate) type Way = (OwnedSemaphorePermit, Coming);

/// Something to be made durable.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are outcomes")]
pub(crate) enum Work {
    /// An outcome.
    Outcome(Entry, Ticket),
    /// Messages from outside, with the place that they took on their way here, or from the timer,
    /// without; the answer is what became of each.
    Intake(Vec<Entry>, oneshot::Sender<Vec<Verdict>>, Option<Way>),
    /// The broker has these streams through these sequences.
    Confirmed(Vec<(Arc<StreamId>, u64)>),
    /// There will be no more: commit what is there and close the store.
    Stop,
}

impl Work {
    /// What entries weigh: how much of a commit they take.
    pub(crate) fn weight_of(entries: &[Entry]) -> usize {
        entries.iter().map(weight).sum()
    }

    fn weight(&self) -> usize {
        match self {
            Work::Outcome(entry, _) => weight(entry),
            Work::Intake(entries, ..) => Work::weight_of(entries),
            Work::Confirmed(streams) => streams.len(),
            Work::Stop => 1,
        }
    }
}

fn weight(entry: &Entry) -> usize {
    let sends = entry.sends.iter().map(|send| send.body.len() + send.headers.as_bytes().len());
    let states = entry.states.iter().map(|touch| match &touch.change {
        StateChange::Put(value) => value.json.len(),
        StateChange::Same | StateChange::Delete => 0,
    });
    let cancels = entry.cancels.iter().map(|c| c.name.len() + c.key.as_deref().map_or(0, str::len));
    let kept = match &entry.subject {
        Subject::Kept(keep) => {
            let message = keep.message.iter().map(|m| m.headers.as_bytes().len() + m.body.len());
            let errors = keep.failure.iter().flat_map(|failure| &failure.errors).map(String::len);
            message.chain(errors).sum()
        }
        Subject::Invalid(record) | Subject::InvalidOf { message: record, .. } => {
            record.headers.len() + record.body.len()
        }
        Subject::InvalidTaken { keeps, .. } => {
            let messages = keeps.iter().flat_map(|keep| &keep.message);
            messages.map(|m| m.headers.as_bytes().len() + m.body.len()).sum()
        }
        Subject::StateSet(set) => set.value.as_ref().map_or(0, |value| value.json.len()),
        _ => 0,
    };
    // What the sends cost besides: some hundred bytes each.
    1 + entry.sends.len() / 4
        + (kept + sends.chain(states).chain(cancels).sum::<usize>()) / WEIGHT_BYTES
}

/// Whom to tell what became of an outcome.
#[derive(Debug)]
pub(crate) enum Ticket {
    /// A handler's, and how many messages it sends.
    Job(LaneId, Job, usize),
    /// That of a delivery that is kept from here on.
    Kept(LaneId, Job),
    /// That of a dead letter, by its number, without which its lane goes on.
    Spent(u64),
    /// What an operator asked for.
    Asked(Answer),
    /// A state's that an operator sets, in its lane if it has one.
    StateSet(Option<LaneId>, Answer),
    /// A record's that is no message, or that was seen before.
    Record,
    /// A message's that no handler here takes, and when it was committed.
    NotMine(Position, u64),
    /// A further copy's.
    /// It is counted how often they were refused before.
    Copy(Position, u32),
}

/// One of the things that an operator asked for together.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Which request, and which of its numbers.
    pub(crate) request: u64,
    pub(crate) index: usize,
    pub(crate) asked: Option<Asked>,
    pub(crate) is_replay: bool,
    /// What leaves the list of records that are no message.
    pub(crate) leaving: Option<Leaving>,
}

/// What became of an outcome.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) ticket: Ticket,
    pub(crate) verdict: Verdict,
    /// The records that may be acknowledged.
    pub(crate) committed: Vec<Committed>,
    /// The records that would have been done with it, had it not been refused.
    pub(crate) refused: Vec<RecordRef>,
}

/// The committer of a service.
pub(crate) struct Committer {
    pub(crate) store: Box<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) work: Queue<Work>,
    pub(crate) settled: Queue<Settled>,
    pub(crate) relay: Queue<Arc<OutboxRow>>,
    /// How many messages are committed and not confirmed by the broker.
    pub(crate) open: watch::Sender<usize>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) vitals: Arc<Vitals>,
    pub(crate) due: Due,
    pub(crate) counts: Arc<Counts>,
}

/// Work that goes into one commit.
#[derive(Default)]
struct Group {
    batch: Batch,
    tickets: Vec<Waiting>,
    confirmed: Vec<(Arc<StreamId>, u64)>,
    /// The latest commit time of each stream of which something is settled or kept, by the address
    /// of the stream's id, which stands for it while it is here.
    times: FastMap<usize, (Arc<StreamId>, u64)>,
    is_last: bool,
}

/// Who waits for the verdict on an entry.
enum Waiting {
    Ticket(Ticket, Vec<RecordRef>),
    /// As many entries, one answer.
    Intake(usize, oneshot::Sender<Vec<Verdict>>, Option<Way>),
}

impl Committer {
    /// Commits until it is told to stop.
    pub(crate) async fn run(mut self) -> Result<(), RunError> {
        let mut id = 0;
        let mut confirmed = Vec::new();
        loop {
            let mut group = Group { confirmed, ..Group::default() };
            for work in self.work.take_weighed(GROUP_MAX, Work::weight).await {
                group.add(work);
            }
            let only_confirmed = group.batch.entries.is_empty();
            if only_confirmed && !group.is_last && group.confirmed.len() < CONFIRMED_MAX {
                // A confirmation that is lost costs a duplicate; a sync of its own costs more.
                confirmed = group.confirmed;
                continue;
            }
            id += 1;
            group.batch.id = id;
            let now = self.clock.read();
            (group.batch.time_ms, group.batch.steady_ms) = (now.wall_ms, now.steady_ms);
            group.batch.confirmed = newest(std::mem::take(&mut group.confirmed));
            group.batch.times = sorted(std::mem::take(&mut group.times));
            let durable = self.commit(&group.batch).await?;
            self.hand_on(group.tickets, durable)?;
            if group.is_last {
                return Ok(self.store.close().await?);
            }
            confirmed = Vec::new();
        }
    }

    /// Makes a batch durable, through every error that allows it.
    async fn commit(&mut self, batch: &Batch) -> Result<Durable, RunError> {
        if batch.entries.is_empty() && batch.confirmed.is_empty() {
            let totals = *self.vitals.totals.borrow();
            return Ok(Durable { totals, ..Durable::default() });
        }
        let mut tries = 0;
        loop {
            let watch = Stopwatch::start();
            let unknown = match self.store.commit(batch).await {
                Ok(durable) => {
                    self.counts.synced(watch.took());
                    self.vitals.no_room.set(false);
                    return Ok(durable);
                }
                // Nothing was written, so a service that is stopping loses nothing.
                Err(error @ CommitError::NoRoom(_)) if tries >= STOPPING_TRIES => {
                    return Err(error.into());
                }
                Err(CommitError::NoRoom(what)) => {
                    tries += u32::from(*self.stop.borrow());
                    if !self.vitals.no_room.is_set() {
                        tracing::warn!(
                            target: "endwise::commit", %what,
                            "the store has no room: commits wait until there is some",
                        );
                    }
                    self.vitals.no_room.set(true);
                    self.clock.sleep(NO_ROOM_PAUSE).await;
                    continue;
                }
                Err(CommitError::Unknown(id)) => id,
                Err(error) => return Err(error.into()),
            };
            tracing::warn!(target: "endwise::commit", id = unknown, "unknown, asking the store");
            if let Some(durable) = self.store.resolve(unknown).await? {
                return Ok(durable);
            }
        }
    }

    /// Tells everybody what became of their work.
    fn hand_on(&self, waiting: Vec<Waiting>, durable: Durable) -> Result<(), RunError> {
        // First what has to be sent: whoever sees a record settled sees its messages open.
        self.vitals.outbox_bytes.add(durable.sent.iter().map(|row| row.bytes()).sum());
        self.open.send_modify(|open| *open += durable.sent.len());
        self.vitals.outbox.set(*self.open.borrow());
        self.counts.outbox().add(durable.sent.len());
        self.vitals.totals.send_replace(durable.totals);
        self.due.made(durable.due_ms);
        self.relay.push(durable.sent)?;
        let mut verdicts = durable.verdicts.into_iter();
        let mut settled = Vec::with_capacity(waiting.len());
        for waiting in waiting {
            match waiting {
                Waiting::Intake(count, reply, place) => {
                    let verdicts: Vec<Verdict> = verdicts.by_ref().take(count).collect();
                    if place.is_some() {
                        let accepted =
                            verdicts.iter().filter(|verdict| **verdict == Verdict::Applied);
                        self.counts.count_accepted(accepted.count() as u64);
                    }
                    // Whoever sent it may have gone; the message is durable all the same.
                    let _ = reply.send(verdicts);
                }
                Waiting::Ticket(ticket, records) => {
                    let verdict = verdicts.next().unwrap_or(Verdict::NotPending);
                    settled.push(Settled::of(ticket, verdict, records));
                }
            }
        }
        Ok(self.settled.push(settled)?)
    }
}

impl Settled {
    fn of(ticket: Ticket, verdict: Verdict, records: Vec<RecordRef>) -> Self {
        if verdict == Verdict::Applied {
            let committed = records.into_iter().map(Committed::by_durable_commit).collect();
            return Settled { ticket, verdict, committed, refused: Vec::new() };
        }
        Settled { ticket, verdict, committed: Vec::new(), refused: records }
    }
}

impl Group {
    /// Notes when the message that a ticket is about was committed.
    fn note_time(&mut self, ticket: &Ticket) {
        let (position, time_ms) = match ticket {
            Ticket::Job(_, job, _) | Ticket::Kept(_, job) => {
                (&job.envelope.position, job.envelope.time_ms)
            }
            Ticket::NotMine(position, time_ms) => (position, *time_ms),
            Ticket::Asked(Answer { leaving: Some(Leaving { came: Some(came), .. }), .. }) => {
                (&came.0, came.1)
            }
            _ => return,
        };
        let Position::Stream(stream, _) = position else { return };
        let new = || (Arc::clone(stream), time_ms);
        let (_, latest) = self.times.entry(Arc::as_ptr(stream).addr()).or_insert_with(new);
        *latest = time_ms.max(*latest);
    }

    fn add(&mut self, work: Work) {
        match work {
            Work::Outcome(entry, ticket) => {
                self.note_time(&ticket);
                self.tickets.push(Waiting::Ticket(ticket, entry.done.clone()));
                self.batch.entries.push(entry);
            }
            Work::Intake(entries, reply, place) => {
                self.tickets.push(Waiting::Intake(entries.len(), reply, place));
                self.batch.entries.extend(entries);
            }
            Work::Confirmed(streams) => self.confirmed.extend(streams),
            Work::Stop => self.is_last = true,
        }
    }
}

/// In the order of the streams: the map's own is random.
fn sorted(times: FastMap<usize, (Arc<StreamId>, u64)>) -> Vec<(Arc<StreamId>, u64)> {
    let mut times: Vec<_> = times.into_values().collect();
    times.sort_unstable();
    times
}

/// Each stream's last sequence; confirmations come in order.
fn newest(confirmed: Vec<(Arc<StreamId>, u64)>) -> Vec<(Arc<StreamId>, u64)> {
    let mut newest: Vec<(Arc<StreamId>, u64)> = Vec::new();
    let mut places = HashMap::new();
    for (stream, through) in confirmed {
        let place = *places.entry(Arc::as_ptr(&stream)).or_insert(newest.len());
        match newest.get_mut(place) {
            Some((_, last)) => *last = through.max(*last),
            None => newest.push((stream, through)),
        }
    }
    newest
}
