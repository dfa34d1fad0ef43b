//! The tables of a store, in memory: what a batch does to them, decided before it is written.
//!
//! Both the memory store and the sled store are these tables; they differ in how a batch's
//! changes become durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::change::{Change, Id, Place, Registered, SendRow};
use super::ids::Ids;
use super::inbox::Inbox;
use super::invalid::Invalids;
use super::kept_table::KeptTable;
use super::names::Interner;
use super::outbox::Outbox;
use super::sources::Sources;
use super::states::Shared;
use super::timers::Timers;
use super::{Catalog, Cause, Found, OutboxRow, Recovered, RenamedType, Scheduled, Totals};
use crate::envelope::{Context, Headers};
use crate::stream::{PartitionId, Position, Ranges, Slot, StreamId};

mod adopt;
mod keep;
pub(super) mod plan;
mod send;
mod take;
mod wait;

use plan::Refused;

/// Who the store is.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) service: Arc<str>,
    pub(super) store: u64,
    pub(super) epoch: u32,
}

/// All tables of a store. The committer owns them; readers see [`Shared`] only.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) identity: Identity,
    pub(super) names: Interner<Arc<str>>,
    pub(super) state_names: Interner<Arc<str>>,
    pub(super) streams: Interner<Arc<StreamId>>,
    pub(super) partitions: Interner<Arc<PartitionId>>,
    pub(super) app: App,
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
    pub(super) kept: KeptTable,
    pub(super) timers: Timers,
    pub(super) invalid: Invalids,
    pub(super) schedules: BTreeMap<Arc<str>, Scheduled>,
    pub(super) sources: Sources,
    pub(super) ids: Ids,
    pub(super) shared: Arc<Shared>,
    pub(super) dirty: Dirty,
    refused: Refused,
}

/// What the app consists of, by numbers.
#[derive(Debug, Default)]
pub(super) struct App {
    pub(super) handlers: BTreeSet<Id>,
    pub(super) states: BTreeSet<Id>,
    pub(super) types: BTreeSet<(Id, Id)>,
    /// What types (topic, type) are called now.
    pub(super) renamed: BTreeMap<(Id, Id), Id>,
}

/// What a checkpoint has to write beside the inbox's and the outbox's own.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    pub(super) names: BTreeSet<Id>,
    pub(super) app: bool,
    pub(super) schedules: BTreeSet<Arc<str>>,
}

impl Tables {
    pub(super) fn new(identity: Identity) -> Self {
        Tables {
            identity,
            names: Interner::default(),
            state_names: Interner::default(),
            streams: Interner::default(),
            partitions: Interner::default(),
            app: App::default(),
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            kept: KeptTable::default(),
            timers: Timers::default(),
            invalid: Invalids::default(),
            schedules: BTreeMap::new(),
            sources: Sources::default(),
            ids: Ids::default(),
            shared: Arc::default(),
            dirty: Dirty::default(),
            refused: Refused::default(),
        }
    }

    /// Applies a change to what only the committer sees.
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Name(id, name) => {
                self.names.set(*id, Arc::clone(name));
                self.dirty.names.insert(*id);
            }
            Change::Stream(id, stream) => {
                self.streams.set(*id, Arc::new(stream.clone()));
                self.inbox.raise_floor(*id, 0);
            }
            Change::Partition(id, partition) => {
                self.partitions.set(*id, Arc::new(partition.clone()));
                self.inbox.dirty.partitions.insert(*id);
            }
            Change::Handler(id, is) => self.register(*is, *id, |app| &mut app.handlers),
            Change::StateName(id, name, is) => {
                self.state_names.set(*id, Arc::clone(name));
                self.register(*is, *id, |app| &mut app.states);
            }
            Change::Type(topic, name, is) => {
                self.register(*is, (*topic, *name), |app| &mut app.types);
            }
            Change::TypeRenamed(topic, old, new) => {
                match new {
                    Some(new) => self.app.renamed.insert((*topic, *old), *new),
                    None => self.app.renamed.remove(&(*topic, *old)),
                };
                self.dirty.app = true;
            }
            Change::Settled(stream, sequence) => self.inbox.settle(*stream, *sequence),
            Change::Floor(stream, floor) => self.inbox.raise_floor(*stream, *floor),
            Change::Pending(place, handlers) => self.inbox.set_pending(*place, handlers.clone()),
            Change::Done(partition, offset) => self.inbox.done(*partition, *offset, *offset),
            Change::Passed(partition, first, last) => self.inbox.done(*partition, *first, *last),
            Change::Intake(source, next) => self.sources.add(source, *next),
            Change::SourceGone(source) => self.sources.remove(source),
            Change::Id(row) => self.ids.set(row.clone()),
            Change::IdGone(number) => self.ids.remove(*number),
            Change::Confirmed(topic, slot, through) => self.outbox.confirm(*topic, *slot, *through),
            Change::SendFloor(topic, slot, floor) => self.outbox.set_floor(*topic, *slot, *floor),
            Change::Kept(row) => self.kept.set(row.clone()),
            Change::KeptGone(number, _) => self.kept.remove(*number),
            Change::Timer(row) => self.timers.set(&row.timer),
            Change::TimerGone(timer) => self.timers.remove(timer),
            Change::Invalid(number, _) => self.invalid.set(*number),
            Change::InvalidGone(number) => self.invalid.remove(*number),
            Change::Scheduled(schedule) => {
                self.schedules.insert(Arc::clone(&schedule.name), schedule.clone());
                self.dirty.schedules.insert(Arc::clone(&schedule.name));
            }
            Change::ScheduleGone(name) => {
                self.schedules.remove(name);
                self.dirty.schedules.insert(Arc::clone(name));
            }
            Change::StreamTime(stream, time_ms) => self.inbox.raise_time(*stream, *time_ms),
            Change::HolesPassed(stream, runs) => self.inbox.pass(*stream, runs),
            // Planning has added the row of the outbox already; what is read when it is needed is
            // shown after the sync.
            Change::Send(_)
            | Change::State(_)
            | Change::KeptMessage(..)
            | Change::KeptFailure(..) => {}
        }
    }

    fn register<T: Ord>(
        &mut self,
        is: Registered,
        item: T,
        set: impl FnOnce(&mut App) -> &mut BTreeSet<T>,
    ) {
        let set = set(&mut self.app);
        match is {
            Registered::Yes => set.insert(item),
            Registered::No => set.remove(&item),
        };
        self.dirty.app = true;
    }

    /// Applies a change that was durable before this opening.
    pub(super) fn replay(&mut self, change: Change) {
        self.apply(&change);
        if let Change::Send(row) = &change
            && let Some((topic, row)) = self.outbox_row(row)
        {
            self.outbox.add(topic, Arc::new(row));
        }
        self.shared.replay(change);
    }

    /// How much there is.
    pub(super) fn totals(&self) -> Totals {
        Totals {
            timers: self.timers.len() as u64,
            invalid: self.invalid.len() as u64,
            outbox: self.outbox.len(),
            ..self.kept.totals()
        }
    }

    /// A row of the outbox from its stored form; `None` if a number in it stands for nothing.
    pub(super) fn outbox_row(&mut self, row: &SendRow) -> Option<(Id, OutboxRow)> {
        let topic = Arc::clone(self.names.get(row.topic)?);
        let type_name = Arc::clone(self.names.get(row.type_name)?);
        let cause = match &row.cause {
            Some((place, handler, index)) => Some(Cause {
                position: self.position(*place)?,
                handler: Arc::clone(self.names.get(*handler)?),
                index: *index,
            }),
            None => None,
        };
        let identity = &self.identity;
        let stream = self.outbox.stream(row.topic, row.slot, || identity.stream(topic, row.slot));
        let context = Context { prev: row.prev, horizon: row.horizon, floor: row.floor };
        let row = OutboxRow {
            stream: Arc::clone(&stream.id),
            sequence: row.sequence,
            type_name,
            key: row.key.clone(),
            context,
            cause,
            time_ms: row.time_ms,
            headers: Headers::from_bytes(row.headers.clone())?,
            body: row.body.clone(),
        };
        Some((self.names.id(&row.stream.topic)?, row))
    }

    /// The stored form of a row of the outbox.
    pub(super) fn send_row(&self, row: &OutboxRow) -> Option<SendRow> {
        let cause = match &row.cause {
            Some(cause) => {
                let handler = self.names.id(&cause.handler)?;
                Some((self.place(&cause.position)?, handler, cause.index))
            }
            None => None,
        };
        Some(SendRow {
            topic: self.names.id(&row.stream.topic)?,
            slot: row.stream.slot.0,
            sequence: row.sequence,
            type_name: self.names.id(&row.type_name)?,
            key: row.key.clone(),
            prev: row.context.prev,
            horizon: row.context.horizon,
            floor: row.context.floor,
            cause,
            time_ms: row.time_ms,
            headers: row.headers.as_bytes().clone(),
            body: row.body.clone(),
        })
    }

    /// A position by its numbers.
    pub(super) fn position(&self, place: Place) -> Option<Position> {
        Some(match place {
            Place::Stream(id, n) => Position::Stream(Arc::clone(self.streams.get(id)?), n),
            Place::Foreign(id, n) => Position::Foreign(Arc::clone(self.partitions.get(id)?), n),
        })
    }

    /// A position's numbers, if it has some yet.
    pub(super) fn place(&self, position: &Position) -> Option<Place> {
        Some(match position {
            Position::Stream(stream, n) => Place::Stream(self.streams.id(stream)?, *n),
            Position::Foreign(partition, n) => Place::Foreign(self.partitions.id(partition)?, *n),
        })
    }

    /// Forgets what a checkpoint would have to write, where there is none.
    pub(super) fn forget_dirty(&mut self) {
        self.dirty = Dirty::default();
        self.inbox.dirty = Default::default();
        self.outbox.dirty = Default::default();
        self.kept.dirty = Default::default();
        self.sources.dirty = Default::default();
        self.ids.dirty = Default::default();
    }

    /// What was recovered, for the service.
    pub(super) fn recovered(&mut self) -> Recovered {
        self.outbox.recall();
        self.kept.first_new = self.kept.next;
        let totals = self.totals();
        let memtable = self.shared.read();
        let streams = self.inbox.streams().iter();
        let times = self.inbox.streams().iter().filter(|(_, stream)| stream.time_ms > 0);
        let pending = self.inbox.all_pending().iter();
        let open = self.outbox.streams().flat_map(|(_, stream)| &stream.open);
        let sent = self.outbox.streams();
        Recovered {
            store: self.identity.store,
            epoch: self.identity.epoch,
            sent: sent.map(|(_, stream)| (Arc::clone(&stream.id), stream.next - 1)).collect(),
            inbox: streams
                .filter_map(|(id, s)| Some((Arc::clone(self.streams.get(*id)?), s.settled.clone())))
                .collect(),
            times: times
                .filter_map(|(id, s)| Some((Arc::clone(self.streams.get(*id)?), s.time_ms)))
                .collect(),
            pending: pending
                .filter_map(|(place, ids)| Some((self.position(*place)?, self.texts(ids.iter()))))
                .collect(),
            cursors: self.cursors(),
            outbox: open.map(|open| Arc::clone(&open.row)).collect(),
            kept: self.kept.deliveries().filter_map(|row| memtable.kept_of(row)).collect(),
            kept_next: self.kept.first_new,
            totals,
        }
    }

    /// What the app that wrote the store consisted of, and what it left undone. Readers see how
    /// much is kept from here on, whether the app is taken in or not.
    pub(super) fn found(&self) -> Found {
        let totals = self.totals();
        self.shared.update(|memtable| memtable.totals = totals);
        let pending = self.inbox.all_pending().values().flatten().copied();
        let unfinished: BTreeSet<Id> =
            pending.chain(self.kept.deliveries().map(|row| row.handler)).collect();
        Found {
            catalog: self.catalog(),
            unfinished: self.texts(unfinished.iter()),
            renamed_types: self.renamed_types(),
            cursors: self.cursors(),
        }
    }

    fn catalog(&self) -> Catalog {
        let types = self.app.types.iter().filter_map(|(topic, name)| {
            Some((Arc::clone(self.names.get(*topic)?), Arc::clone(self.names.get(*name)?)))
        });
        Catalog {
            handlers: self.texts(self.app.handlers.iter()),
            states: self
                .app
                .states
                .iter()
                .filter_map(|id| self.state_names.get(*id).cloned())
                .collect(),
            types: types.collect(),
        }
    }

    fn cursors(&self) -> Vec<(Arc<PartitionId>, Ranges)> {
        let partitions = self.inbox.partitions().iter();
        let named = partitions
            .filter_map(|(id, done)| Some((Arc::clone(self.partitions.get(*id)?), done.clone())));
        named.collect()
    }

    fn renamed_types(&self) -> Vec<RenamedType> {
        let name = |id: &Id| self.names.get(*id).cloned();
        let renamed = self.app.renamed.iter();
        let named = renamed.filter_map(|((topic, old), new)| {
            Some(RenamedType { topic: name(topic)?, old: name(old)?, new: Some(name(new)?) })
        });
        named.collect()
    }

    fn texts<'a>(&self, ids: impl Iterator<Item = &'a Id>) -> Vec<Arc<str>> {
        ids.filter_map(|id| self.names.get(*id).cloned()).collect()
    }
}

impl Identity {
    /// The stream of this store to a slot of a topic.
    pub(super) fn stream(&self, topic: Arc<str>, slot: u8) -> StreamId {
        StreamId {
            service: Arc::clone(&self.service),
            store: self.store,
            epoch: self.epoch,
            topic,
            slot: Slot(slot),
        }
    }
}
