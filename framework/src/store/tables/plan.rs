//! Planning a batch: which entries hold, which positions they get, what changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use super::super::change::{Change, Id, Place, Registered};
use super::super::layers::{RowId, Table};
use super::super::limits::{self, LimitError};
use super::super::states::Memtable;
use super::super::{
    Batch, Durable, Entry, Keep, StateSet, Subject, TimerId, UNHANDLED_NUMBERS, Verdict,
};
use super::Tables;
use crate::hash::FastMap;
use crate::stream::{Key, PartitionId, Position, StreamId};

/// Versions of states, by the number of their name and their key.
pub(in crate::store) type Versions = FastMap<(Id, Key), u64>;

/// A batch that was decided on and is not durable yet.
#[derive(Debug, Default)]
pub(in crate::store) struct Plan {
    pub(in crate::store) changes: Vec<Change>,
    pub(in crate::store) durable: Durable,
    /// Versions of states that are behind the memtable, or that this batch has written.
    pub(super) versions: Versions,
    /// The timers that are due, as they are stored.
    pub(super) timers: BTreeMap<TimerId, Bytes>,
    pub(super) time_ms: u64,
    pub(super) steady_ms: u64,
}

/// What is to be read behind the memtable before a batch is planned, for planning waits for
/// nothing.
#[derive(Debug, Default)]
pub(in crate::store) struct Behind {
    pub(in crate::store) states: Vec<(Id, Key)>,
    pub(in crate::store) timers: Vec<TimerId>,
}

/// What was read of it.
#[derive(Debug, Default)]
pub(in crate::store) struct Read {
    pub(in crate::store) versions: Versions,
    pub(in crate::store) timers: BTreeMap<TimerId, Bytes>,
}

impl Behind {
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.states.is_empty() && self.timers.is_empty()
    }
}

/// How many refused runs are remembered. An entry can only come behind a refused one of its run
/// while both are on their way, and far fewer are.
const REFUSED_MAX: usize = 65_536;

/// The runs of lanes of which an entry was refused, newest numbers kept.
#[derive(Debug, Default)]
pub(super) struct Refused(BTreeSet<u64>);

impl Refused {
    fn insert(&mut self, run: u64) {
        self.0.insert(run);
        if self.0.len() > REFUSED_MAX {
            self.0.pop_first();
        }
    }
}

impl Tables {
    /// What a batch needs that is not in memory.
    pub(in crate::store) fn behind(&self, batch: &Batch) -> Behind {
        let memtable = self.shared.read();
        let mut behind = Behind::default();
        for entry in &batch.entries {
            for touch in &entry.states {
                if let Some(id) = self.state_names.id(&touch.name)
                    && memtable.get(id, &touch.key).is_none()
                {
                    behind.states.push((id, Arc::clone(&touch.key)));
                }
            }
            if let Subject::StateSet(set) = &entry.subject
                && let Some(id) = self.state_names.id(&set.name)
                && memtable.get(id, &set.key).is_none()
            {
                behind.states.push((id, Arc::clone(&set.key)));
            }
            if let Some(timer) = self.timer_of(&entry.subject)
                && memtable.rows.get(timer_row(timer)).is_none()
            {
                behind.timers.push(timer);
            }
        }
        behind
    }

    /// Decides what a batch does. A limit is met before anything is decided; else the tables
    /// change at once, and what readers see does not. A plan that does not become durable must be
    /// kept until it does, or the tables be dropped.
    pub(in crate::store) fn plan(
        &mut self,
        batch: &Batch,
        behind: Read,
    ) -> Result<Plan, LimitError> {
        limits::check(batch)?;
        self.check_holes()?;
        let Read { versions, timers } = behind;
        let Batch { time_ms, steady_ms, .. } = *batch;
        let mut plan = Plan { time_ms, steady_ms, versions, timers, ..Plan::default() };
        for (stream, through) in &batch.confirmed {
            self.confirm(stream, *through, &mut plan);
        }
        self.forget_ids(&mut plan);
        plan.durable.verdicts.reserve(batch.entries.len());
        let shared = Arc::clone(&self.shared);
        let memtable = shared.read();
        for entry in &batch.entries {
            if let Some(timer) = self.timer_of(&entry.subject)
                && let Some(Some(row)) = memtable.rows.get(timer_row(timer))
            {
                plan.timers.insert(timer, row.clone());
            }
            let (verdict, place) = self.check(entry, &plan, &memtable);
            if verdict == Verdict::Applied {
                if let Subject::StateSet(set) = &entry.subject {
                    let version = self.version(&set.name, &set.key, &plan, &memtable);
                    self.set_state(set, version, &mut plan);
                }
                self.take(entry, place, &mut plan);
            } else if matches!(verdict, Verdict::Conflict | Verdict::NotPending)
                && let Some(run) = entry.run
            {
                self.refused.insert(run);
            }
            plan.durable.verdicts.push(verdict);
        }
        for (stream, time_ms) in &batch.times {
            // A stream of which nothing holds has no number.
            if let Some(id) = self.streams.id(stream)
                && *time_ms > self.inbox.time_ms(id)
            {
                self.change(Change::StreamTime(id, *time_ms), &mut plan);
            }
        }
        plan.durable.totals = self.totals();
        Ok(plan)
    }

    /// The timer that an entry lets go or cancels, if it is there.
    fn timer_of(&self, subject: &Subject) -> Option<TimerId> {
        match subject {
            Subject::Released { timer } => {
                Some(*timer).filter(|timer| self.timers.contains(*timer))
            }
            Subject::TimerCancelled { number } => self.timers.id(*number),
            _ => None,
        }
    }

    fn check_holes(&self) -> Result<(), LimitError> {
        let holes = |place: String| Err(LimitError::Holes { place });
        match self.inbox.full {
            None => Ok(()),
            Some(Place::Stream(id, _)) => {
                holes(self.streams.get(id).map(ToString::to_string).unwrap_or_default())
            }
            Some(Place::Foreign(id, _)) => {
                holes(self.partitions.get(id).map(ToString::to_string).unwrap_or_default())
            }
        }
    }

    /// Whether an entry holds, and the numbers of its position if it has some; nothing changes.
    fn check(&self, entry: &Entry, plan: &Plan, memtable: &Memtable) -> (Verdict, Option<Place>) {
        if entry.run.is_some_and(|run| self.refused.0.contains(&run)) {
            return (Verdict::Conflict, None);
        }
        let place = match &entry.subject {
            Subject::Handled { position, .. }
            | Subject::NotMine { position, .. }
            | Subject::InvalidOf { position, .. }
            | Subject::InvalidTaken { position, .. }
            | Subject::Duplicate { position } => self.place(position),
            Subject::Kept(keep) => self.place(&keep.position),
            Subject::Intake { .. }
            | Subject::Once(_)
            | Subject::SourceRetired { .. }
            | Subject::Passed { .. }
            | Subject::HolesPassed { .. }
            | Subject::Discarded { .. }
            | Subject::UnhandledDiscarded { .. }
            | Subject::Taken { .. }
            | Subject::Released { .. }
            | Subject::Invalid(_)
            | Subject::InvalidDiscarded { .. }
            | Subject::Scheduled(_)
            | Subject::ScheduleGone { .. }
            | Subject::StateSet(_)
            | Subject::TimerCancelled { .. } => None,
        };
        if let Subject::StateSet(set) = &entry.subject {
            return (self.check_set(set, plan, memtable), place);
        }
        let verdict = self.check_subject(&entry.subject, place, plan);
        if verdict != Verdict::Applied {
            return (verdict, place);
        }
        for touch in &entry.states {
            if self.version(&touch.name, &touch.key, plan, memtable) != touch.read {
                return (Verdict::Conflict, place);
            }
        }
        (Verdict::Applied, place)
    }

    fn check_subject(&self, subject: &Subject, place: Option<Place>, plan: &Plan) -> Verdict {
        let is_settled = place.is_some_and(|place| self.inbox.is_settled(place));
        let holds = match subject {
            Subject::Handled { handler, handlers, kept: None, .. } => {
                !is_settled && self.is_left(place, handler, handlers)
            }
            Subject::Handled { handler, kept: Some(number), .. } => {
                self.kept.is_of(*number, place, self.names.id(handler))
            }
            Subject::Kept(keep) => match &keep.message {
                Some(_) => {
                    self.kept.is_free(keep.number)
                        && !is_settled
                        && self.is_left(place, &keep.handler, &keep.handlers)
                }
                None => self.kept.is_of(keep.number, place, self.names.id(&keep.handler)),
            },
            Subject::Discarded { number } => {
                self.kept.get(*number).is_some() && !self.kept.is_unhandled(*number)
            }
            Subject::UnhandledDiscarded { number } => self.kept.is_unhandled(*number),
            Subject::Taken { number, handlers, message, .. } => {
                let has_numbers = handlers.len() as u64 <= UNHANDLED_NUMBERS;
                let has_message = handlers.len() == 1 || message.is_some();
                self.kept.is_unhandled(*number)
                    && !handlers.is_empty()
                    && has_numbers
                    && has_message
            }
            // One that this batch has made is nobody's to release yet.
            Subject::Released { timer } => {
                self.timers.contains(*timer) && plan.timers.contains_key(timer)
            }
            Subject::InvalidDiscarded { number } => self.invalid.contains(*number),
            Subject::TimerCancelled { number } => {
                self.timers.id(*number).is_some_and(|timer| plan.timers.contains_key(&timer))
            }
            Subject::InvalidTaken { number, was_settled, keeps, .. } => {
                let is_open = *was_settled || !is_settled;
                self.invalid.contains(*number) && is_open && self.may_keep(place, keeps)
            }
            // What some handlers have begun here is not another's.
            Subject::NotMine { .. } | Subject::InvalidOf { .. } => {
                !is_settled && place.is_none_or(|place| self.inbox.pending(place).is_none())
            }
            Subject::Duplicate { .. } => is_settled,
            Subject::Intake { from: None }
            | Subject::Passed { .. }
            | Subject::HolesPassed { .. }
            | Subject::Invalid(_)
            | Subject::Scheduled(_)
            | Subject::ScheduleGone { .. }
            | Subject::StateSet(_) => true,
            Subject::Intake { from: Some((source, n)) } => return self.sources.check(source, *n),
            Subject::Once(once) => return self.ids.check(once),
            Subject::SourceRetired { source } => self.sources.has(source),
        };
        if holds { Verdict::Applied } else { Verdict::NotPending }
    }

    /// Whether a handler is left to do for a position that is not settled.
    fn is_left(&self, place: Option<Place>, handler: &Arc<str>, handlers: &[Arc<str>]) -> bool {
        match place.and_then(|place| self.inbox.pending(place)) {
            Some(left) => self.names.id(handler).is_some_and(|id| left.contains(&id)),
            None => handlers.contains(handler),
        }
    }

    /// Whether all of a message's deliveries can be kept anew; none of it has begun, if there are
    /// none.
    fn may_keep(&self, place: Option<Place>, keeps: &[Keep]) -> bool {
        let may = |keep: &Keep| {
            keep.message.is_some()
                && self.kept.is_free(keep.number)
                && self.is_left(place, &keep.handler, &keep.handlers)
        };
        let is_begun = place.is_some_and(|place| self.inbox.pending(place).is_some());
        keeps.is_sorted_by(|one, next| one.number < next.number)
            && keeps.iter().all(may)
            && (!keeps.is_empty() || !is_begun)
    }

    /// The version of a state as the batch has left it so far.
    fn version(&self, name: &Arc<str>, key: &Key, plan: &Plan, memtable: &Memtable) -> u64 {
        let Some(name) = self.state_names.id(name) else { return 0 };
        // The lookup borrows nothing of the key, hence the clone of a counted pointer.
        match plan.versions.get(&(name, Arc::clone(key))) {
            Some(version) => *version,
            None => memtable.get(name, key).map_or(0, |state| state.version),
        }
    }

    fn check_set(&self, set: &StateSet, plan: &Plan, memtable: &Memtable) -> Verdict {
        let version = self.version(&set.name, &set.key, plan, memtable);
        match set.expected {
            Some(expected) if expected != version => Verdict::Conflict,
            _ if set.value.is_none() && version == 0 => Verdict::NotPending,
            _ => Verdict::Applied,
        }
    }

    /// Notes that the broker has a stream of this store through a sequence.
    fn confirm(&mut self, stream: &StreamId, through: u64, plan: &mut Plan) {
        let Some(topic) = self.names.id(&stream.topic) else { return };
        let slot = stream.slot.0;
        let Some(known) = self.outbox.existing(topic, slot) else { return };
        // What has no position yet cannot be confirmed: it would count as published unseen.
        let through = through.min(known.next - 1);
        if *known.id != *stream || through < known.confirmed {
            return;
        }
        let floor = known.confirmed_at(through, plan.steady_ms);
        if through > known.confirmed {
            self.change(Change::Confirmed(topic, slot, through), plan);
        }
        if let Some(floor) = floor {
            self.change(Change::SendFloor(topic, slot, floor), plan);
        }
    }

    pub(super) fn change(&mut self, change: Change, plan: &mut Plan) {
        self.apply(&change);
        plan.changes.push(change);
    }

    /// The number of a name, given one if it has none.
    pub(super) fn name(&mut self, name: &Arc<str>, plan: &mut Plan) -> Id {
        if let Some(id) = self.names.id(name) {
            return id;
        }
        let id = self.names.next();
        self.change(Change::Name(id, Arc::clone(name)), plan);
        id
    }

    /// The number of a state's name, given one if it has none.
    pub(super) fn state_name(&mut self, name: &Arc<str>, plan: &mut Plan) -> Id {
        if let Some(id) = self.state_names.id(name) {
            return id;
        }
        let id = self.state_names.next();
        self.change(Change::StateName(id, Arc::clone(name), Registered::Yes), plan);
        id
    }

    pub(super) fn partition_id(&mut self, partition: &Arc<PartitionId>, plan: &mut Plan) -> Id {
        if let Some(id) = self.partitions.id(partition) {
            return id;
        }
        let id = self.partitions.next();
        self.change(Change::Partition(id, (**partition).clone()), plan);
        id
    }

    /// The numbers of a position that has none yet; what it is of gets one.
    pub(super) fn place_of(&mut self, position: &Position, plan: &mut Plan) -> Place {
        match position {
            Position::Foreign(partition, offset) => {
                Place::Foreign(self.partition_id(partition, plan), *offset)
            }
            Position::Stream(stream, sequence) => {
                let id = match self.streams.id(stream) {
                    Some(id) => id,
                    None => {
                        let id = self.streams.next();
                        self.change(Change::Stream(id, (**stream).clone()), plan);
                        id
                    }
                };
                Place::Stream(id, *sequence)
            }
        }
    }
}

/// Where a timer is stored.
pub(in crate::store) fn timer_row(timer: TimerId) -> RowId {
    RowId(Table::Timers, timer.due_ms, timer.number)
}
