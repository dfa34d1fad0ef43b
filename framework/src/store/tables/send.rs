//! Giving a message its position, and what it must come behind.

use std::sync::Arc;

use bytes::Bytes;

use super::super::change::{Change, Id, Place, SendRow};
use super::super::{Cause, OutboxRow};
use super::Tables;
use super::plan::Plan;
use crate::envelope::{Context, Headers};
use crate::outcome::{Release, Send as Message};
use crate::stream::{Key, Position, Slot};

/// The handling that a message is sent for.
pub(super) struct Sender {
    pub(super) position: Position,
    pub(super) place: Place,
    pub(super) handler: Arc<str>,
    pub(super) id: Id,
}

/// A message that is to get its position, now or later.
pub(super) struct Outgoing {
    pub(super) topic: Id,
    pub(super) type_name: Id,
    pub(super) key: Option<Key>,
    pub(super) cause: Option<(Place, Id, u32)>,
    pub(super) headers: Headers,
    pub(super) body: Bytes,
}

impl Tables {
    /// Sends a message: it gets its position, or waits for its time.
    pub(super) fn send(
        &mut self,
        message: &Message,
        sender: Option<&Sender>,
        index: u32,
        plan: &mut Plan,
    ) {
        let outgoing = Outgoing {
            topic: self.text(&message.topic, plan),
            type_name: self.text(&message.type_name, plan),
            key: message.key.clone(),
            cause: sender.map(|sender| (sender.place, sender.id, index)),
            headers: message.headers.clone(),
            body: message.body.clone(),
        };
        if message.release != Release::Now {
            return self.send_later(message.release, message.name.as_ref(), outgoing, plan);
        }
        let cause = sender.map(|sender| Cause {
            position: sender.position.clone(),
            handler: Arc::clone(&sender.handler),
            index,
        });
        self.send_now(outgoing, cause, plan);
    }

    /// Gives a message its position.
    pub(super) fn send_now(&mut self, outgoing: Outgoing, cause: Option<Cause>, plan: &mut Plan) {
        let Outgoing { topic, type_name: type_id, key, headers, body, .. } = outgoing;
        // Both were given their numbers when the message was sent.
        let Some((topic_name, type_name)) = self.names.get(topic).zip(self.names.get(type_id))
        else {
            return;
        };
        let (topic_name, type_name) = (Arc::clone(topic_name), Arc::clone(type_name));
        let slot = match &key {
            Some(key) => Slot::of(key),
            None => self.outbox.turn(topic),
        };
        let identity = &self.identity;
        let stream = self.outbox.stream(topic, slot.0, || identity.stream(topic_name, slot.0));
        let (prev, horizon) = match &key {
            Some(key) => stream.remember(key),
            None => (None, 0),
        };
        let row = OutboxRow {
            stream: Arc::clone(&stream.id),
            sequence: stream.next,
            type_name,
            key,
            context: Context { prev, horizon, floor: stream.floor },
            cause,
            time_ms: plan.time_ms,
            headers,
            body,
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
            cause: outgoing.cause,
            time_ms: row.time_ms,
            headers: row.headers.as_bytes().clone(),
            body: row.body.clone(),
        }));
        let row = Arc::new(row);
        self.outbox.add(topic, Arc::clone(&row));
        plan.durable.sent.push(row);
    }

    /// The number of a name, given one if it has none.
    pub(super) fn text(&mut self, name: &str, plan: &mut Plan) -> Id {
        match self.names.id(name) {
            Some(id) => id,
            None => self.name(&name.into(), plan),
        }
    }
}
