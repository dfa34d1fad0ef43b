//! Kept deliveries: kept from here on, waiting for something else from here on, kept no more.

use std::sync::Arc;

use super::super::change::{Change, KeptBody, KeptRow, Place};
use super::super::{Keep, UNHANDLED_NUMBERS, Wait};
use super::Tables;
use super::plan::Plan;
use crate::envelope::Envelope;
use crate::stream::Key;

impl Tables {
    /// Keeps a delivery, or lets one that is kept wait for something else.
    pub(super) fn keep(&mut self, keep: &Keep, place: Place, plan: &mut Plan) {
        let row = match self.kept.get(keep.number) {
            Some(known) => known.clone(),
            None => self.keep_anew(keep, place, plan),
        };
        let nth = row.failures;
        let failures = nth.saturating_add(u32::from(keep.failure.is_some()));
        let Keep { wait, attempts, late, .. } = *keep;
        self.change(Change::Kept(KeptRow { wait, attempts, late, failures, ..row }), plan);
        if let Some(failure) = &keep.failure {
            self.change(Change::KeptFailure(keep.number, nth, failure.clone()), plan);
        }
    }

    /// Stores the message of a delivery that is kept from here on: its handler is done with the
    /// position, as far as the position is concerned.
    fn keep_anew(&mut self, keep: &Keep, place: Place, plan: &mut Plan) -> KeptRow {
        let handler = self.name(&keep.handler, plan);
        self.handled(place, handler, &keep.handlers, plan);
        let mut row = KeptRow {
            number: keep.number,
            place,
            handler,
            key: None,
            since_ms: plan.time_ms,
            wait: keep.wait,
            attempts: keep.attempts,
            late: keep.late,
            bytes: 0,
            failures: 0,
        };
        // Checked: one that is new has its message.
        if let Some(message) = &keep.message {
            let bytes = message.headers.as_bytes().len() + message.body.len();
            row.key = message.key.clone();
            row.bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            // What no handler takes names its type in the place of one.
            let handlers = if keep.wait == Wait::Unhandled { &[][..] } else { &keep.handlers };
            self.store_message(keep.number, message, handlers, plan);
        }
        row
    }

    fn store_message(
        &mut self,
        number: u64,
        message: &Envelope,
        handlers: &[Arc<str>],
        plan: &mut Plan,
    ) {
        let stored = KeptBody {
            topic: self.text(&message.topic, plan),
            type_name: self.text(&message.type_name, plan),
            prev: message.context.prev,
            horizon: message.context.horizon,
            floor: message.context.floor,
            digest: message.digest,
            headers: message.headers.as_bytes().clone(),
            body: message.body.clone(),
            handlers: handlers.iter().map(|name| self.name(name, plan)).collect(),
        };
        self.change(Change::KeptMessage(number, stored), plan);
    }

    /// Keeps a message that no handler took for those that take it now, in its place. Its own
    /// number is the first one's, and its message stays where it is.
    pub(super) fn take_unhandled(
        &mut self,
        number: u64,
        key: Option<&Key>,
        handlers: &[Arc<str>],
        message: Option<&Envelope>,
        plan: &mut Plan,
    ) {
        let Some(row) = self.kept.get(number).cloned() else { return };
        for (own, name) in (number..).take(UNHANDLED_NUMBERS as usize).zip(handlers) {
            let handler = self.name(name, plan);
            let (key, wait) = (key.cloned(), Wait::Held);
            let row = KeptRow { number: own, handler, key, wait, ..row.clone() };
            self.change(Change::Kept(row), plan);
            if let Some(message) = message.filter(|_| own != number) {
                self.store_message(own, message, handlers, plan);
            }
        }
    }

    /// Lets go of a kept delivery.
    pub(super) fn keep_no_more(&mut self, number: u64, plan: &mut Plan) {
        if let Some(row) = self.kept.get(number) {
            let failures = row.failures;
            self.change(Change::KeptGone(number, failures), plan);
        }
    }
}
