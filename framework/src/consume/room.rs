//! Room: whether more may be fetched, and whether what is there may begin.

use super::Consume;

impl Consume {
    /// Whether so much waits for the broker, or for its time, that nothing more is begun: what is
    /// begun sends.
    ///
    /// One look decides all of it: between two looks the relay may empty the outbox, and the loop
    /// would neither go on nor wait for a change.
    pub(super) fn is_held_up(&mut self) -> bool {
        let unsent = *self.open.borrow_and_update() + self.state.sends;
        let timers = self.totals.borrow_and_update().timers;
        let (outbox, timers) = (unsent >= self.limits.outbox_max, timers >= self.limits.timers_max);
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

    /// Whether more records may be in flight.
    pub(super) fn has_room(&mut self) -> bool {
        let totals = *self.totals.borrow();
        let kept = totals.held + totals.waiting + totals.dead;
        let is_full =
            kept >= self.limits.holds_max || totals.kept_bytes >= self.limits.holds_bytes_max;
        if is_full && !self.vitals.holds_full.is_set() {
            tracing::error!(
                target: "endwise::limits", service = &*self.wiring.service,
                held = totals.held, waiting = totals.waiting, dead = totals.dead,
                bytes = totals.kept_bytes,
                "so much is kept that nothing more is fetched: replay or discard dead letters",
            );
        }
        self.vitals.holds_full.set(is_full);
        !is_full
            && self.state.records < self.limits.in_flight_max
            && self.state.bytes < self.limits.in_flight_bytes_max
    }
}
