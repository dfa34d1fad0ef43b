//! The one writer: numbers what is published, and gathers it into groups that share a sync.
//!
//! A thread of its own, for everything here blocks. [`super::EmbeddedBroker::open`] starts it. It
//! ends when the last handle of the broker is gone or the broker is closed; what was sent to it
//! before that is still written and answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::drops::Drops;
use super::error::{EmbeddedError, journal_failed};
use super::frame::{Road, Unnumbered};
use super::pressure::Pressure;
use super::segments::frame_bytes;
use super::shared::{Shared, Written};
use super::snapshot::{ConsumerRow, Snapshot, TopicRow};
use super::topics::Topic;
use crate::broker::BrokerError;
use crate::clock::Clock;
use crate::directory::Directory;
use crate::journal::{Disk, HeadSync, Journal, JournalError, Place};

/// Commands that wait for the writer, at most; who sends more waits.
pub(super) const COMMANDS_MAX: usize = 64;

/// Groups after which `HEAD` is synced when nothing waits, and when something does. It bounds what
/// damage after a power cut can hide, without a clock: see the journal's [`HeadSync`].
const IDLE_GROUPS_MAX: u32 = 32;
const BUSY_GROUPS_MAX: u32 = 512;

/// The answer to a command, once what it asked for is durable.
pub(super) type Done = oneshot::Sender<Result<(), BrokerError>>;

/// What the writer can be asked for.
#[derive(Debug)]
pub(super) enum Command {
    /// Write these records.
    Publish(Unnumbered, Done),
    /// Make the topics and registrations durable as they are.
    Register(Done),
    /// Something was settled that may let a segment go.
    Release,
    /// Write what came before, and end.
    Close,
}

/// The writer's own state.
pub(super) struct Writer<D: Disk> {
    pub(super) journal: Journal<D>,
    pub(super) shared: Arc<Shared>,
    /// The offset that the next record of each partition gets.
    pub(super) next: BTreeMap<Road, u64>,
    /// Which registry the newest snapshot holds.
    pub(super) registry: u64,
    /// The segment of the newest snapshot, and of the newest that is durable.
    pub(super) snapshot_segment: u64,
    pub(super) durable_snapshot_segment: u64,
    /// Groups since `HEAD` was synced.
    pub(super) head_groups: u32,
    /// Tells of records that were dropped and that nobody read.
    pub(super) drops: Drops,
    /// How near the disk limit was at the last look.
    pub(super) pressure: Pressure,
    /// How far the consumers were at the newest snapshot, or at the opening.
    pub(super) consumers: Vec<ConsumerRow>,
    /// Locked until the writer is gone.
    pub(super) directory: Directory,
}

/// What shares the next sync.
#[derive(Default)]
struct Group {
    written: Vec<Written>,
    bytes: u64,
    waiting: Vec<Done>,
}

impl<D: Disk> Writer<D> {
    /// Works until the broker is closed, or all its handles are gone.
    pub(super) fn run(mut self, mut commands: mpsc::Receiver<Command>) -> Result<(), BrokerError> {
        let _ending = Ending(Arc::clone(&self.shared));
        let mut is_open = true;
        while is_open && let Some(first) = commands.blocking_recv() {
            self.check_directory();
            let (mut group, mut next) = (Group::default(), Some(first));
            while let Some(command) = next {
                is_open = !matches!(command, Command::Close);
                self.take(command, &mut group);
                let full = group.bytes >= self.shared.options.group_bytes_max;
                next = if full || !is_open { None } else { commands.try_recv().ok() };
            }
            self.commit(group);
            self.release();
            self.pressure.look(&self.shared);
            let groups_max = if commands.is_empty() { IDLE_GROUPS_MAX } else { BUSY_GROUPS_MAX };
            // An error stops the broker: the next command is told.
            let _ = self.sync_head(groups_max);
        }
        self.note_consumers();
        self.sync_head(0)
    }

    /// Writes how far the consumers are, if that has changed: after a close, one that does not come
    /// back is not behind on what it has settled. A full disk is no reason not to close.
    fn note_consumers(&mut self) {
        let mut group = Group::default();
        let rows = self.shared.running().map(|state| state.registrations.rows(&state.topics));
        if rows.is_ok_and(|rows| rows != self.consumers) && self.snapshot(&mut group).is_ok() {
            self.commit(group);
        }
    }

    /// Stops the broker if its data are no longer what was opened.
    fn check_directory(&self) {
        if let Err(error) = self.directory.check() {
            self.shared.stop(EmbeddedError::Directory(error).into());
        }
    }

    /// Writes what a command asks for, or refuses it.
    fn take(&mut self, command: Command, group: &mut Group) {
        let (done, result) = match command {
            Command::Publish(frame, done) => (done, self.publish(frame, group)),
            Command::Register(done) => (done, self.register(group)),
            Command::Release | Command::Close => return,
        };
        match result {
            Ok(()) => group.waiting.push(done),
            // Whoever asked may be gone: then nobody wants to know.
            Err(error) => drop(done.send(Err(error))),
        }
    }

    fn publish(&mut self, frame: Unnumbered, group: &mut Group) -> Result<(), BrokerError> {
        self.register(group)?;
        self.admit(&frame, group)?;
        let next = |road: Road| self.next.get(&road).copied().unwrap_or(0);
        let time_ms = Clock::system().now_ms();
        let (runs, bytes) = frame.number(time_ms, next);
        let place = self.append(&bytes)?;
        for run in &runs {
            self.next.insert(run.road, run.end());
        }
        group.push(Written { place, time_ms, runs, bytes });
        if place.segment != self.snapshot_segment {
            // A full disk is no reason to fail what is written: the next frame tries again, and
            // until then no segment is released.
            let _ = self.snapshot(group);
        }
        Ok(())
    }

    /// Writes a snapshot if topics or registrations have changed.
    fn register(&mut self, group: &mut Group) -> Result<(), BrokerError> {
        let registry = self.shared.running()?.registry;
        if registry == self.registry { Ok(()) } else { self.snapshot(group) }
    }

    fn snapshot(&mut self, group: &mut Group) -> Result<(), BrokerError> {
        let (registry, snapshot) = {
            let state = self.shared.running()?;
            let next = |topic, partition| self.next.get(&Road { topic, partition }).copied();
            let topic = |(number, topic): (u32, &Topic)| {
                let partitions = 0..topic.partitions.len() as u32;
                let next = partitions.map(|partition| next(number, partition).unwrap_or(0));
                let (name, incarnation) = (Arc::clone(&topic.name), topic.incarnation);
                TopicRow { name, incarnation, next: next.collect() }
            };
            let topics = state.topics.iter().map(topic).collect();
            let consumers = state.registrations.rows(&state.topics);
            (state.registry, Snapshot { topics, consumers })
        };
        let place = self.append(&snapshot.encode()?)?;
        self.consumers = snapshot.consumers;
        group.push(Written { place, time_ms: 0, runs: Vec::new(), bytes: Bytes::new() });
        self.registry = registry;
        self.snapshot_segment = place.segment;
        Ok(())
    }

    /// Refuses a frame for which there is no room, not even in the reserve.
    fn admit(&mut self, frame: &Unnumbered, group: &Group) -> Result<(), BrokerError> {
        let bytes = group.bytes.saturating_add(frame_bytes(frame.len() as u64));
        let admitted = self.shared.running()?.admit(bytes, &self.shared.options);
        if admitted.is_err() && self.release() {
            return self.shared.running()?.admit(bytes, &self.shared.options);
        }
        admitted
    }

    fn append(&mut self, payload: &[u8]) -> Result<Place, BrokerError> {
        self.journal.append(payload).map_err(|error| match error {
            // Nothing was written: only this command fails.
            JournalError::NoRoom { .. } => BrokerError::NoRoom(error.to_string().into()),
            JournalError::TooLarge { .. } => journal_failed(error),
            error => self.stop(error),
        })
    }

    /// Syncs, makes fetchable, answers: in this order.
    fn commit(&mut self, group: Group) {
        if !group.written.is_empty() {
            match self.journal.sync(HeadSync::Write) {
                Ok(_) => self.shared.show(group.written),
                Err(error) => drop(self.stop(error)),
            }
            self.durable_snapshot_segment = self.snapshot_segment;
            self.head_groups += 1;
            self.shared.announce();
        }
        let result = self.shared.stopped().map_or(Ok(()), Err);
        for done in group.waiting {
            drop(done.send(result.clone()));
        }
    }

    /// Lets segments go that nobody needs; whether there were any.
    fn release(&mut self) -> bool {
        let mut any = false;
        while let Some(below) = self.releasable() {
            // The index goes first: who reads meanwhile must not find what is gone.
            let dropped = self.shared.lock().forget_before(below);
            self.drops.report(dropped);
            if let Err(error) = self.journal.release(below) {
                self.stop(error);
                break;
            }
            any = true;
        }
        if any {
            self.shared.announce();
        }
        any
    }

    fn releasable(&self) -> Option<u64> {
        let state = self.shared.running().ok()?;
        let below = state.releasable(&self.shared.options)?;
        // What the dropped segments knew besides records must be in one that stays.
        let oldest = state.frames.place(below)?.segment;
        (oldest <= self.durable_snapshot_segment).then_some(below)
    }

    /// Syncs `HEAD` if more than `groups_max` groups were written since.
    fn sync_head(&mut self, groups_max: u32) -> Result<(), BrokerError> {
        if let Some(cause) = self.shared.stopped() {
            return Err(cause);
        }
        if self.head_groups > groups_max {
            self.journal.sync(HeadSync::Sync).map_err(|error| self.stop(error))?;
            self.head_groups = 0;
        }
        Ok(())
    }

    /// Poisons the broker; returns the first cause.
    fn stop(&self, error: JournalError) -> BrokerError {
        self.shared.stop(journal_failed(error.clone()));
        self.shared.stopped().unwrap_or_else(|| journal_failed(error))
    }
}

/// Tells all who wait that the writer is gone, even if it panicked.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        let why = if std::thread::panicking() { "its writer panicked" } else { "it was closed" };
        self.0.stop(BrokerError::Closed(why.into()));
    }
}

impl Group {
    fn push(&mut self, written: Written) {
        self.bytes += frame_bytes(written.place.length);
        self.written.push(written);
    }
}
