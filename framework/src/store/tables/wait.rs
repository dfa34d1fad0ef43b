//! Messages that wait for their time: set, replaced, cancelled, released.

use std::sync::Arc;
use std::time::Duration;

use super::super::change::{Change, Id, TimerKey, TimerRow};
use super::super::form::decode;
use super::super::{Cause, TimerId};
use super::Tables;
use super::plan::Plan;
use super::send::Outgoing;
use crate::envelope::Headers;
use crate::outcome::{Cancel, Release};

impl Tables {
    /// Lets a message wait for its time, or sends it if that is past. Either way it takes the
    /// place of what waits under its name.
    pub(super) fn send_later(
        &mut self,
        release: Release,
        name: Option<&Arc<str>>,
        outgoing: Outgoing,
        plan: &mut Plan,
    ) {
        let Outgoing { topic, type_name, .. } = outgoing;
        let key = outgoing.key.clone();
        let timer = TimerKey { due_ms: 0, number: 0, topic, type_name, key, name: name.cloned() };
        self.cancel_named(timer.clone(), plan);
        let due_ms = match release {
            Release::Now => 0,
            Release::After(delay) => plan.time_ms.saturating_add(whole_ms(delay)),
            Release::At(time_ms) => time_ms,
        };
        if due_ms <= plan.time_ms {
            let cause = self.cause(outgoing.cause);
            return self.send_now(outgoing, cause, plan);
        }
        let row = TimerRow {
            timer: TimerKey { due_ms, number: self.timers.next, ..timer },
            cause: outgoing.cause,
            headers: outgoing.headers.as_bytes().clone(),
            body: outgoing.body,
        };
        self.change(Change::Timer(row), plan);
        let first_ms = plan.durable.due_ms.map_or(due_ms, |first_ms| first_ms.min(due_ms));
        plan.durable.due_ms = Some(first_ms);
    }

    /// Cancels what waits under a name, if anything does.
    pub(super) fn cancel(&mut self, cancel: &Cancel, plan: &mut Plan) {
        let names = (self.names.id(&*cancel.topic), self.names.id(&*cancel.type_name));
        if let (Some(topic), Some(type_name)) = names {
            let (key, name) = (cancel.key.clone(), Some(Arc::clone(&cancel.name)));
            self.cancel_named(TimerKey { due_ms: 0, number: 0, topic, type_name, key, name }, plan);
        }
    }

    /// Cancels what waits under the same name as this.
    fn cancel_named(&mut self, timer: TimerKey, plan: &mut Plan) {
        let TimerKey { topic, type_name, ref key, ref name, .. } = timer;
        let Some(name) = name else { return };
        for type_name in self.names_of(topic, type_name) {
            if let Some(found) = self.timers.find(topic, type_name, key.as_deref(), name) {
                let TimerId { due_ms, number } = found;
                let gone = TimerKey { due_ms, number, type_name, ..timer.clone() };
                self.change(Change::TimerGone(gone), plan);
            }
        }
    }

    /// A type by its name, and by those that it had before.
    fn names_of(&self, topic: Id, type_name: Id) -> Vec<Id> {
        let renamed = self.app.renamed.iter();
        let before = renamed.filter(|((of, _), new)| *of == topic && **new == type_name);
        std::iter::once(type_name).chain(before.map(|((_, old), _)| *old)).collect()
    }

    /// What cancels that which waits under a number.
    pub(super) fn cancelled(&mut self, number: u64, plan: &mut Plan) -> Option<Change> {
        let row = plan.timers.remove(&self.timers.id(number)?)?;
        // It was read before, and checked against its sum.
        decode::<TimerRow>(&row).ok().map(|row| Change::TimerGone(row.timer))
    }

    /// Gives a message its position whose time has come.
    pub(super) fn release(&mut self, timer: TimerId, plan: &mut Plan) {
        let row = plan.timers.remove(&timer).and_then(|row| decode::<TimerRow>(&row).ok());
        // It was read before, and checked against its sum.
        let Some(TimerRow { timer, cause, headers, body }) = row else { return };
        let outgoing = Outgoing {
            topic: timer.topic,
            type_name: timer.type_name,
            key: timer.key.clone(),
            cause,
            headers: Headers::written(headers),
            body,
        };
        self.change(Change::TimerGone(timer), plan);
        let cause = self.cause(cause);
        self.send_now(outgoing, cause, plan);
    }

    fn cause(&self, cause: Option<(super::Place, super::Id, u32)>) -> Option<Cause> {
        let (place, handler, index) = cause?;
        let handler = Arc::clone(self.names.get(handler)?);
        Some(Cause { position: self.position(place)?, handler, index })
    }
}

/// Milliseconds, rounded up: nothing is due before its time.
fn whole_ms(delay: Duration) -> u64 {
    u64::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
