//! Giving a message its position, and what it must come behind.

use std::sync::Arc;

use super::super::change::{Change, Id, Place, SendRow};
use super::super::{Cause, OutboxRow};
use super::Tables;
use super::plan::Plan;
use crate::envelope::Context;
use crate::outcome::Send as Message;
use crate::stream::{Position, Slot};

/// The handling that a message is sent for.
pub(super) struct Sender {
    pub(super) position: Position,
    pub(super) place: Place,
    pub(super) handler: Arc<str>,
    pub(super) id: Id,
}

impl Tables {
    /// Gives a message its position.
    pub(super) fn send(
        &mut self,
        message: &Message,
        sender: Option<&Sender>,
        index: u32,
        plan: &mut Plan,
    ) {
        let (topic, topic_name) = self.text(&message.topic, plan);
        let (type_id, type_name) = self.text(&message.type_name, plan);
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
            cause: sender.map(|sender| Cause {
                position: sender.position.clone(),
                handler: Arc::clone(&sender.handler),
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
            cause: sender.map(|sender| (sender.place, sender.id, index)),
            time_ms: row.time_ms,
            headers: row.headers.as_bytes().clone(),
            body: row.body.clone(),
        }));
        let row = Arc::new(row);
        self.outbox.add(topic, Arc::clone(&row));
        plan.durable.sent.push(row);
    }

    /// A name with its number, given one if it has none.
    fn text(&mut self, name: &str, plan: &mut Plan) -> (Id, Arc<str>) {
        let known = self.names.id(name).and_then(|id| Some((id, Arc::clone(self.names.get(id)?))));
        known.unwrap_or_else(|| {
            let name: Arc<str> = name.into();
            (self.name(&name, plan), name)
        })
    }
}
