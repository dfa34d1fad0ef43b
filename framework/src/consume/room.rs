//! Room: whether more may be fetched, and whether what is there may begin.

use super::{Consume, IN_FLIGHT_MAX};
use crate::limits::Limits;
use crate::store::Totals;

/// What may wait for a broker that has no room, beyond `outbox_max`: only what handlers settle
/// makes room there, and only once a whole segment of its records is settled.
const STALLED_MAX: usize = 1 << 19;
const STALLED_BYTES_MAX: usize = 128 << 20;

impl Consume {
    /// Whether so much waits for the broker, or for its time, that nothing more is begun: what is
    /// begun sends.
    ///
    /// One look decides all of it: between two looks the relay may empty the outbox, and the loop
    /// would neither go on nor wait for a change.
    pub(super) fn is_held_up(&mut self) -> bool {
        let unsent = *self.open.borrow_and_update() + self.state.sends;
        let timers = self.totals.borrow_and_update().timers;
        let may_pass = self.vitals.broker_full.is_set()
            && unsent < STALLED_MAX
            && self.vitals.outbox_bytes.now() < STALLED_BYTES_MAX;
        let outbox = unsent >= self.limits.outbox_max && !may_pass;
        let timers = timers >= self.limits.timers_max;
        self.vitals.outbox_full.set(outbox);
        if timers && !self.vitals.timers_full.is_set() {
            tracing::warn!(
                target: "endwise::limits", service = &*self.wiring.service,
                limit = self.limits.timers_max,
                "so many messages wait for their time that nothing is handled until some are due",
            );
        }
        self.vitals.timers_full.set(timers);
        outbox || timers
    }

    /// Raises an alarm when something is held for too long. It is looked for no sooner than the
    /// oldest can have come to that age.
    pub(super) fn look_at_age(&mut self, now_ms: u64) {
        let age = u64::try_from(self.limits.holds_age_max.as_millis()).unwrap_or(u64::MAX);
        if !self.lanes.has_kept() {
            self.state.age_look_ms = None;
            return;
        }
        let oldest = match self.state.age_look_ms {
            Some(due) if due > now_ms => return,
            _ => self.lanes.oldest_held(),
        };
        let due = oldest.map_or(now_ms, |oldest| oldest.since_ms).saturating_add(age);
        if let Some(held) = oldest
            && due <= now_ms
        {
            let handler = self.wiring.name(held.handler).unwrap_or_default();
            tracing::error!(
                target: "endwise::limits", service = &*self.wiring.service, handler = &*handler,
                position = %held.position, hours = (now_ms - held.since_ms) / 3_600_000,
                "a delivery is held for so long: see what its key waits for",
            );
        }
        let again = if due <= now_ms { now_ms.saturating_add(age.max(60_000)) } else { due };
        self.state.age_look_ms = Some(again);
    }

    /// Whether more records may be in flight.
    pub(super) fn has_room(&mut self) -> bool {
        let is_full = self.is_full();
        !is_full
            && self.state.records < self.limits.in_flight_max.min(IN_FLIGHT_MAX)
            && self.state.bytes < self.limits.in_flight_bytes_max
    }

    /// Whether so many messages that no handler takes are stored that nothing more is fetched.
    fn is_unhandled_full(&self, totals: Totals) -> bool {
        let Totals { unhandled, unhandled_bytes, .. } = totals;
        let Limits { unhandled_max, unhandled_bytes_max, .. } = self.limits;
        let is_full = unhandled >= unhandled_max || unhandled_bytes >= unhandled_bytes_max;
        if is_full && !self.vitals.unhandled_full.is_set() {
            tracing::error!(
                target: "endwise::limits", service = &*self.wiring.service,
                unhandled, max = unhandled_max, bytes = unhandled_bytes,
                bytes_max = unhandled_bytes_max,
                "consumption paused: limit of messages that no handler takes reached; add a \
                 handler of their type, say App::ignore_types, or discard them",
            );
        }
        self.vitals.unhandled_full.set(is_full);
        is_full
    }

    /// Whether so much is kept for an operator, or for a further attempt, that nothing more is
    /// fetched.
    fn is_full(&mut self) -> bool {
        let totals = *self.totals.borrow();
        let kept = totals.held + totals.waiting + totals.dead;
        let holds =
            kept >= self.limits.holds_max || totals.kept_bytes >= self.limits.holds_bytes_max;
        if holds && !self.vitals.holds_full.is_set() {
            tracing::error!(
                target: "endwise::limits", service = &*self.wiring.service,
                held = totals.held, waiting = totals.waiting, dead = totals.dead,
                bytes = totals.kept_bytes,
                "so much is kept that nothing more is fetched: replay or discard dead letters",
            );
        }
        let invalid = totals.invalid >= self.limits.invalid_max;
        if invalid && !self.vitals.invalid_full.is_set() {
            tracing::error!(
                target: "endwise::limits", service = &*self.wiring.service,
                invalid = totals.invalid,
                "so many records are no message that nothing more is fetched: look at them, mend \
                 their sender or the app, and replay or discard them",
            );
        }
        let unhandled = self.is_unhandled_full(totals);
        self.vitals.holds_full.set(holds);
        self.vitals.invalid_full.set(invalid);
        holds || invalid || unhandled
    }
}
