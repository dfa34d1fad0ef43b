//! Planning a batch: which entries hold, which positions they get, what changes.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::change::{Change, Id, Place, Registered, SendRow, StateRow};
use super::super::states::Cold;
use super::super::{
    Batch, Cause, Durable, Entry, OutboxRow, StateTouch, StoreError, Subject, Verdict,
};
use super::Tables;
use crate::envelope::Context;
use crate::outcome::{Send as Message, StateChange};
use crate::stream::{Key, Position, Slot};

/// A batch that was decided on and is not durable yet.
#[derive(Debug, Default)]
pub(in crate::store) struct Plan {
    pub(in crate::store) changes: Vec<Change>,
    pub(in crate::store) durable: Durable,
    /// Versions of states that this batch has written, which no reader sees yet.
    versions: HashMap<(Id, Key), u64>,
    time_ms: u64,
}

impl Tables {
    /// Decides what a batch does. The tables change at once, what readers see does not: if the
    /// plan does not become durable the store is poisoned, and the tables are dropped.
    pub(in crate::store) fn plan(
        &mut self,
        batch: &Batch,
        cold: Option<&dyn Cold>,
    ) -> Result<Plan, StoreError> {
        let mut plan = Plan { time_ms: batch.time_ms, ..Plan::default() };
        for (stream, through) in &batch.confirmed {
            if let Some(topic) = self.names.id(&stream.topic) {
                self.confirm(topic, stream.slot.0, *through, &mut plan);
            }
        }
        for entry in &batch.entries {
            let verdict = self.check(entry, &plan, cold)?;
            match (verdict, entry.run) {
                (Verdict::Applied, _) => self.take(entry, &mut plan),
                (Verdict::Conflict, Some(run)) => {
                    self.refused.insert(run);
                }
                _ => {}
            }
            plan.durable.verdicts.push(verdict);
        }
        Ok(plan)
    }

    /// Whether an entry holds; nothing changes.
    fn check(
        &self,
        entry: &Entry,
        plan: &Plan,
        cold: Option<&dyn Cold>,
    ) -> Result<Verdict, StoreError> {
        if entry.run.is_some_and(|run| self.refused.contains(&run)) {
            return Ok(Verdict::Conflict);
        }
        let verdict = self.check_subject(&entry.subject);
        if verdict != Verdict::Applied {
            return Ok(verdict);
        }
        for touch in &entry.states {
            if self.version(touch, plan, cold)? != touch.read {
                return Ok(Verdict::Conflict);
            }
        }
        Ok(Verdict::Applied)
    }

    fn check_subject(&self, subject: &Subject) -> Verdict {
        let settled =
            |position| self.place(position).is_some_and(|place| self.inbox.is_settled(place));
        let holds = match subject {
            Subject::Handled { position, handler, .. } => {
                let pending = self.place(position).and_then(|place| self.inbox.pending(place));
                let is_mine =
                    |pending: &[Id]| self.names.id(handler).is_some_and(|id| pending.contains(&id));
                !settled(position) && pending.is_none_or(is_mine)
            }
            Subject::NotMine { position, .. } => !settled(position),
            Subject::Duplicate { position } => settled(position),
            Subject::Intake { from: Some((source, n)) } => {
                if self.intake.get(source).is_some_and(|next| n < next) {
                    return Verdict::Already;
                }
                true
            }
            Subject::Intake { from: None } => true,
        };
        if holds { Verdict::Applied } else { Verdict::NotPending }
    }

    fn version(
        &self,
        touch: &StateTouch,
        plan: &Plan,
        cold: Option<&dyn Cold>,
    ) -> Result<u64, StoreError> {
        let Some(name) = self.state_names.id(&touch.name) else { return Ok(0) };
        // The lookup borrows nothing of the touch, hence the clone of a counted pointer.
        match plan.versions.get(&(name, Arc::clone(&touch.key))) {
            Some(version) => Ok(*version),
            None => self.shared.version(name, &touch.key, cold),
        }
    }

    /// Carries an entry out.
    fn take(&mut self, entry: &Entry, plan: &mut Plan) {
        let cause = self.take_subject(&entry.subject, plan);
        for touch in &entry.states {
            self.take_state(touch, plan);
        }
        for (index, message) in (0..).zip(&entry.sends) {
            self.send(message, cause.as_ref(), index, plan);
        }
        for record in &entry.done {
            let partition = self.partition_id(&record.partition, plan);
            if !self.inbox.is_done(partition, record.offset) {
                self.change(Change::Done(partition, record.offset), plan);
            }
        }
    }

    /// Settles what the entry is about; the position and handler that its messages are sent for.
    fn take_subject(
        &mut self,
        subject: &Subject,
        plan: &mut Plan,
    ) -> Option<(Position, Place, Arc<str>, Id)> {
        match subject {
            Subject::Handled { position, floor, handler, handlers } => {
                let place = self.place_of(position, *floor, plan);
                let id = self.name(handler, plan);
                self.handled(place, id, handlers, plan);
                Some((position.clone(), place, Arc::clone(handler), id))
            }
            Subject::NotMine { position, floor } => {
                let place = self.place_of(position, *floor, plan);
                self.settle(place, plan);
                None
            }
            Subject::Duplicate { .. } | Subject::Intake { from: None } => None,
            Subject::Intake { from: Some((source, n)) } => {
                self.change(Change::Intake(Arc::clone(source), n + 1), plan);
                None
            }
        }
    }

    /// One handler is done with a position: the last one settles it.
    fn handled(&mut self, place: Place, handler: Id, handlers: &[Arc<str>], plan: &mut Plan) {
        let was_pending = self.inbox.pending(place).map(<[Id]>::to_vec);
        let all = match &was_pending {
            Some(pending) => pending.clone(),
            None => handlers.iter().map(|name| self.name(name, plan)).collect(),
        };
        let left: Vec<Id> = all.into_iter().filter(|id| *id != handler).collect();
        let settled = left.is_empty();
        if was_pending.is_some() || !settled {
            self.change(Change::Pending(place, left), plan);
        }
        if settled {
            self.settle(place, plan);
        }
    }

    fn settle(&mut self, place: Place, plan: &mut Plan) {
        match place {
            Place::Stream(stream, sequence) => {
                self.change(Change::Settled(stream, sequence), plan);
            }
            // A foreign position is its offset.
            Place::Foreign(partition, offset) => {
                self.change(Change::Done(partition, offset), plan);
            }
        }
    }

    fn take_state(&mut self, touch: &StateTouch, plan: &mut Plan) {
        let StateTouch { name, key, read, change } = touch;
        let (version, schema, json) = match change {
            StateChange::Same => return,
            StateChange::Put(value) => (read + 1, value.schema, Some(value.json.clone())),
            StateChange::Delete => (0, 0, None),
        };
        let name = self.state_name(name, plan);
        let key = Arc::clone(key);
        plan.versions.insert((name, Arc::clone(&key)), version);
        self.change(Change::State(StateRow { name, key, version, schema, json }), plan);
    }

    /// Gives a message its position.
    fn send(
        &mut self,
        message: &Message,
        cause: Option<&(Position, Place, Arc<str>, Id)>,
        index: u32,
        plan: &mut Plan,
    ) {
        let topic_name: Arc<str> = Arc::from(&*message.topic);
        let topic = self.name(&topic_name, plan);
        let type_id = self.name(&Arc::from(&*message.type_name), plan);
        // The name is there: it was just given.
        let type_name = self.names.get(type_id).cloned().unwrap_or_default();
        let slot = match &message.key {
            Some(key) => Slot::of(key),
            None => self.outbox.turn(topic),
        };
        let identity = &self.identity;
        let stream = self.outbox.stream(topic, slot.0, || identity.stream(topic_name, slot.0));
        let (prev, horizon) = match &message.key {
            Some(key) => stream.remember(key),
            None => (None, 0),
        };
        let row = OutboxRow {
            stream: Arc::clone(&stream.id),
            sequence: stream.next,
            type_name,
            key: message.key.clone(),
            context: Context { prev, horizon, floor: stream.floor },
            cause: cause.map(|(position, _, handler, _)| Cause {
                position: position.clone(),
                handler: Arc::clone(handler),
                index,
            }),
            time_ms: plan.time_ms,
            headers: message.headers.clone(),
            body: message.body.clone(),
        };
        plan.changes.push(Change::Send(SendRow {
            topic,
            slot: slot.0,
            sequence: row.sequence,
            type_name: type_id,
            key: row.key.clone(),
            prev,
            horizon,
            floor: row.context.floor,
            cause: cause.map(|(_, place, _, handler)| (*place, *handler, index)),
            time_ms: row.time_ms,
            headers: row.headers.as_bytes().clone(),
            body: row.body.clone(),
        }));
        let row = Arc::new(row);
        self.outbox.add(topic, Arc::clone(&row));
        plan.durable.sent.push(row);
    }

    fn confirm(&mut self, topic: Id, slot: u8, through: u64, plan: &mut Plan) {
        let floor =
            self.outbox.existing(topic, slot).and_then(|s| s.confirmed_at(through, plan.time_ms));
        self.change(Change::Confirmed(topic, slot, through), plan);
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

    fn partition_id(&mut self, partition: &Arc<crate::stream::PartitionId>, plan: &mut Plan) -> Id {
        if let Some(id) = self.partitions.id(partition) {
            return id;
        }
        let id = self.partitions.next();
        self.change(Change::Partition(id, (**partition).clone()), plan);
        id
    }

    /// The numbers of a position; its stream gets one, and its floor is noted, if they are new.
    fn place_of(&mut self, position: &Position, floor: u64, plan: &mut Plan) -> Place {
        let (stream, sequence) = match position {
            Position::Stream(stream, sequence) => (stream, *sequence),
            Position::Foreign(partition, offset) => {
                return Place::Foreign(self.partition_id(partition, plan), *offset);
            }
        };
        let id = match self.streams.id(stream) {
            Some(id) => id,
            None => {
                let id = self.streams.next();
                self.change(Change::Stream(id, (**stream).clone()), plan);
                id
            }
        };
        if floor > self.inbox.floor(id) {
            self.change(Change::Floor(id, floor), plan);
        }
        Place::Stream(id, sequence)
    }
}
