//! Draining: after the stop flag nothing more is fetched, what is in progress is finished within
//! a deadline, and what is left is said.

use super::{Consume, failed_line};

/// How far stopping has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Drain {
    /// It was not told to stop.
    #[default]
    No,
    /// Until that time, by the steady clock, what is in progress goes on.
    Until(u64),
    /// What runs is given up; what is queued for commit is committed.
    Over,
}

impl Drain {
    pub(super) fn deadline(self) -> Option<u64> {
        match self {
            Drain::Until(deadline) => Some(deadline),
            Drain::No | Drain::Over => None,
        }
    }
}

/// How many of the deliveries that are left are named.
const NAMED_MAX: usize = 10;

impl Consume {
    pub(super) fn is_stopping(&self) -> bool {
        self.state.drain != Drain::No
    }

    pub(super) fn is_over(&self) -> bool {
        self.state.drain == Drain::Over
    }

    /// Begins to drain when the flag is raised, and ends it at the deadline.
    pub(super) fn look_at_stop(&mut self, now_ms: u64) {
        match self.state.drain {
            Drain::No if *self.stop.borrow() => {
                let drain = u64::try_from(self.drain.as_millis()).unwrap_or(u64::MAX);
                self.state.drain = Drain::Until(now_ms.saturating_add(drain));
                self.vitals.stopping.set(true);
            }
            Drain::Until(deadline) if deadline <= now_ms => {
                self.state.drain = Drain::Over;
                self.give_up();
            }
            _ => {}
        }
    }

    /// Drops what runs: nothing of it takes effect.
    fn give_up(&mut self) {
        if self.state.lanes == 0 {
            return;
        }
        let running = self.lanes.running().take(NAMED_MAX);
        let named: Vec<String> = running
            .map(|(handler, position, key)| {
                let name = self.wiring.name(handler).unwrap_or_default();
                format!("{name} {}", failed_line::about(key.map(|key| &**key), position))
            })
            .collect();
        tracing::warn!(
            target: "endwise::service", service = &*self.wiring.service,
            running = self.state.lanes, first = named.join(", "),
            "the time to drain is over: what still runs is handled again after the next start",
        );
        self.tasks.stop();
    }

    /// Whether the loop was told to stop and nothing is in progress any more. What waits behind a
    /// delivery that failed does not count: its records stay unacknowledged.
    pub(super) fn has_ended(&self) -> bool {
        let is_idle = self.state.lanes == 0 && !self.lanes.has_ready();
        let has_ended =
            self.is_stopping() && self.state.uncommitted == 0 && (is_idle || self.is_over());
        if has_ended && self.state.records > 0 {
            tracing::info!(
                target: "endwise::service", service = &*self.wiring.service,
                records = self.state.records,
                "stopped with records that are fetched and handled again after the next start",
            );
        }
        has_ended
    }
}
