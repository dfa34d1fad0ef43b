//! Carrying out an entry that holds: what it settles, its states, the records that are done.

use std::sync::Arc;

use super::super::change::{Change, Id, Place, StateRow};
use super::super::invalid;
use super::super::{Entry, InvalidMessage, Keep, Once, StateSet, StateTouch, Subject};
use super::Tables;
use super::plan::Plan;
use super::send::Sender;
use crate::clock::Now;
use crate::delivery::StateValue;
use crate::outcome::StateChange;
use crate::stream::{Key, Position, StreamId};

impl Tables {
    /// Carries an entry out.
    pub(super) fn take(&mut self, entry: &Entry, place: Option<Place>, plan: &mut Plan) {
        let cause = self.take_subject(&entry.subject, place, plan);
        for cancel in &entry.cancels {
            self.cancel(cancel, plan);
        }
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
        place: Option<Place>,
        plan: &mut Plan,
    ) -> Option<Sender> {
        match subject {
            Subject::Handled { position, floor, handler, handlers, kept } => {
                let place = self.place_seen(place, position, *floor, plan);
                Some(self.take_handled((position, place), handler, handlers, *kept, plan))
            }
            Subject::NotMine { position, floor } => {
                let place = self.place_seen(place, position, *floor, plan);
                self.settle(place, plan);
                None
            }
            Subject::Kept(keep) => {
                let place = self.place_seen(place, &keep.position, keep.floor, plan);
                self.keep(keep, place, plan);
                None
            }
            Subject::Discarded { number } | Subject::UnhandledDiscarded { number } => {
                self.keep_no_more(*number, plan);
                None
            }
            Subject::Taken { number, key, handlers, message } => {
                let message = message.as_deref();
                self.take_unhandled(*number, key.as_ref(), handlers, message, plan);
                None
            }
            Subject::Released { timer } => {
                self.release(*timer, plan);
                None
            }
            Subject::Invalid(message) => {
                let number = self.invalid.next;
                self.just(Change::Invalid(number, invalid::stored(message)), plan)
            }
            Subject::InvalidOf { message, position, floor } => {
                let place = self.place_seen(place, position, *floor, plan);
                self.invalid_of(message, place, plan)
            }
            Subject::InvalidDiscarded { number } => self.just(Change::InvalidGone(*number), plan),
            Subject::InvalidTaken { number, position, floor, keeps, .. } => {
                let place = self.place_seen(place, position, *floor, plan);
                self.invalid_taken(*number, place, keeps, plan)
            }
            Subject::TimerCancelled { number } => {
                self.cancelled(*number, plan).and_then(|change| self.just(change, plan))
            }
            Subject::Duplicate { .. } | Subject::Intake { from: None } => None,
            Subject::StateSet(_) => None, // Its version is looked up first: see set_state.
            Subject::Scheduled(schedule) => self.just(Change::Scheduled(schedule.clone()), plan),
            Subject::ScheduleGone { name } => self.just(Change::ScheduleGone(name.clone()), plan),
            Subject::Passed { partition, first, last } => {
                let partition = self.partition_id(partition, plan);
                self.just(Change::Passed(partition, *first, *last), plan)
            }
            Subject::HolesPassed { stream, runs } => self.pass_holes(stream, runs, plan),
            Subject::Once(once) => self.take_once(once, plan),
            Subject::SourceRetired { source } => {
                self.just(Change::SourceGone(source.clone()), plan)
            }
            Subject::Intake { from: Some((source, n)) } => {
                // A number that has no next one was refused as a limit.
                self.just(Change::Intake(Arc::clone(source), n.saturating_add(1)), plan)
            }
        }
    }

    /// The place of a position, known or not, now that its message has shown this floor.
    fn place_seen(
        &mut self,
        place: Option<Place>,
        position: &Position,
        floor: u64,
        plan: &mut Plan,
    ) -> Place {
        let place = place.unwrap_or_else(|| self.place_of(position, plan));
        self.see_floor(place, floor, plan);
        place
    }

    /// A handler has handled a position.
    fn take_handled(
        &mut self,
        (position, place): (&Position, Place),
        handler: &Arc<str>,
        handlers: &[Arc<str>],
        kept: Option<u64>,
        plan: &mut Plan,
    ) -> Sender {
        let id = self.name(handler, plan);
        match kept {
            Some(number) => self.keep_no_more(number, plan),
            None => self.handled(place, id, handlers, plan),
        }
        Sender { position: position.clone(), place, handler: Arc::clone(handler), id }
    }

    /// Puts a record on the list of those that are no message, and settles its position.
    fn invalid_of(
        &mut self,
        message: &InvalidMessage,
        place: Place,
        plan: &mut Plan,
    ) -> Option<Sender> {
        self.settle(place, plan);
        let number = self.invalid.next;
        self.just(Change::Invalid(number, invalid::stored(message)), plan)
    }

    /// Takes a record off that list for the deliveries that come of it.
    fn invalid_taken(
        &mut self,
        number: u64,
        place: Place,
        keeps: &[Keep],
        plan: &mut Plan,
    ) -> Option<Sender> {
        self.change(Change::InvalidGone(number), plan);
        keeps.iter().for_each(|keep| self.keep(keep, place, plan));
        if keeps.is_empty() {
            self.settle(place, plan);
        }
        None
    }

    /// Forgets ids whose time is over by now.
    pub(super) fn forget_ids(&mut self, plan: &mut Plan) {
        self.ids.see(Now { wall_ms: plan.time_ms, steady_ms: plan.steady_ms });
        for number in self.ids.expired() {
            self.change(Change::IdGone(number), plan);
        }
    }

    /// Remembers an id, in the place of one whose time is over and that may still be there.
    fn take_once(&mut self, once: &Once, plan: &mut Plan) -> Option<Sender> {
        if let Some(number) = self.ids.number(&once.source, &once.id) {
            self.change(Change::IdGone(number), plan);
        }
        if let Some(number) = self.ids.place_for(once) {
            self.change(Change::IdGone(number), plan);
        }
        let row = self.ids.row(once);
        let number = row.number;
        self.change(Change::Id(row), plan);
        self.ids.sent(number, once.keep_ms);
        None
    }

    /// Makes a change for which no message is sent.
    fn just(&mut self, change: Change, plan: &mut Plan) -> Option<Sender> {
        self.change(change, plan);
        None
    }

    /// Sequences that never came count as settled.
    fn pass_holes(
        &mut self,
        stream: &Arc<StreamId>,
        runs: &[(u64, u64)],
        plan: &mut Plan,
    ) -> Option<Sender> {
        let position = Position::Stream(Arc::clone(stream), 0);
        if let Place::Stream(id, _) = self.place_of(&position, plan) {
            self.change(Change::HolesPassed(id, runs.to_vec()), plan);
        }
        None
    }

    /// One handler is done with a position: the last one settles it.
    pub(super) fn handled(
        &mut self,
        place: Place,
        handler: Id,
        handlers: &[Arc<str>],
        plan: &mut Plan,
    ) {
        let (was_pending, mut left) = match self.inbox.pending(place) {
            Some(left) => (true, left.to_vec()),
            None if handlers.len() == 1 => (false, Vec::new()),
            None => (false, handlers.iter().map(|name| self.name(name, plan)).collect()),
        };
        left.retain(|id| *id != handler);
        let is_settled = left.is_empty();
        if was_pending || !is_settled {
            self.change(Change::Pending(place, left), plan);
        }
        if is_settled {
            self.settle(place, plan);
        }
    }

    pub(super) fn settle(&mut self, place: Place, plan: &mut Plan) {
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
        match &touch.change {
            StateChange::Same => {}
            StateChange::Put(value) => {
                self.write_state(&touch.name, &touch.key, touch.read, Some(value), plan);
            }
            StateChange::Delete => {
                self.write_state(&touch.name, &touch.key, touch.read, None, plan);
            }
        }
    }

    /// Carries out what an operator sets, over the version that is there.
    pub(super) fn set_state(&mut self, set: &StateSet, version: u64, plan: &mut Plan) {
        self.write_state(&set.name, &set.key, version, set.value.as_ref(), plan);
    }

    fn write_state(
        &mut self,
        name: &Arc<str>,
        key: &Key,
        before: u64,
        value: Option<&StateValue>,
        plan: &mut Plan,
    ) {
        let (version, schema, json) = match value {
            Some(value) => (before + 1, value.schema, Some(value.json.clone())),
            None => (0, 0, None),
        };
        let name = self.state_name(name, plan);
        let key = Arc::clone(key);
        plan.versions.insert((name, Arc::clone(&key)), version);
        self.change(Change::State(StateRow { name, key, version, schema, json }), plan);
    }

    /// Notes the floor that the sender of a stream has shown.
    fn see_floor(&mut self, place: Place, floor: u64, plan: &mut Plan) {
        if let Place::Stream(stream, _) = place
            && floor > self.inbox.floor(stream)
        {
            self.change(Change::Floor(stream, floor), plan);
        }
    }
}
