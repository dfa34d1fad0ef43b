//! Looking a service's status up.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Closed, HandlerStatus, IntakeWait, KeptStatus, Readiness, Reason, RunningStatus, Status,
    TimerStatus, closed_by,
};
use crate::dead_letters::{Lanes, WaitsFor};
use crate::operator::{Desk, Live, OperatorError};
use crate::store::Totals;
use crate::vitals::Vitals;

/// How many closed lanes a status names.
const CLOSED_SHOWN: usize = 20;

impl Desk {
    /// Whether the service is ready, as its parts say.
    pub(crate) fn ready(&self) -> Readiness {
        let ended = || vec![Reason::Ended];
        let mut reasons = self.live.as_ref().map_or_else(ended, |live| reasons(&live.vitals));
        let broker = self.broker_status().unwrap_or_default();
        if broker.is_full() && !reasons.contains(&Reason::BrokerFull) {
            reasons.push(Reason::BrokerFull);
        }
        Readiness { reasons, broker_waits_for: broker.waits_for() }
    }

    /// How the service is doing.
    pub(crate) async fn status(&self) -> Result<Status, OperatorError> {
        let totals = self.reader.totals().await?;
        let first = self.reader.timers(None, 1).await?.into_iter().next();
        let Readiness { reasons, broker_waits_for } = self.ready();
        Ok(Status {
            service: Arc::clone(&self.service),
            at_ms: self.clock.now_ms(),
            ready: reasons.is_empty(),
            reasons,
            broker_waits_for,
            kept: self.kept(totals).await?,
            timers: TimerStatus {
                count: totals.timers,
                next_due_ms: first.map(|timer| timer.id.due_ms),
            },
            outbox: match &self.live {
                Some(live) => *live.open.borrow() as u64,
                None => totals.outbox,
            },
            running: self.live.as_ref().map(Live::running),
        })
    }

    async fn kept(&self, totals: Totals) -> Result<KeptStatus, OperatorError> {
        let lanes = Lanes::read(self).await?;
        let mut dead_by_handler = BTreeMap::new();
        for letter in lanes.dead() {
            *dead_by_handler.entry(Arc::clone(&letter.handler)).or_default() += 1;
        }
        let Totals { held, waiting, dead, kept_bytes: bytes, invalid, unhandled, .. } = totals;
        Ok(KeptStatus {
            held,
            waiting,
            dead,
            bytes,
            oldest_held_ms: lanes.held().map(|kept| kept.since_ms).min(),
            dead_by_handler,
            released: released(&lanes),
            closed: closed(&lanes),
            invalid,
            unhandled,
            unhandled_by_type: self.unhandled_by_type().await?,
        })
    }
}

impl Desk {
    async fn unhandled_by_type(&self) -> Result<BTreeMap<String, u64>, OperatorError> {
        let mut by_type = BTreeMap::new();
        let mut after = None;
        loop {
            let page = self.reader.unhandled(after, PAGE).await?;
            for found in &page {
                let name = format!("{}/{}", found.position.topic(), found.type_name);
                *by_type.entry(name).or_default() += 1;
            }
            let Some(last) = page.last() else { return Ok(by_type) };
            after = Some(last.number);
        }
    }
}

/// How many messages that no handler takes are looked at in one go.
const PAGE: usize = 1_024;

/// How many are held that nothing holds up any more.
fn released(lanes: &Lanes) -> u64 {
    lanes.held().filter(|kept| lanes.hold(kept).waits_for == WaitsFor::Turn).count() as u64
}

/// What closes lanes, those that hold up most first.
fn closed(lanes: &Lanes) -> Vec<Closed> {
    let mut by_closer: BTreeMap<u64, Closed> = BTreeMap::new();
    for kept in lanes.held() {
        let hold = lanes.hold(kept);
        let Some(number) = closed_by(&hold) else { continue };
        let Some(closer) = lanes.get(number) else { continue };
        let closed = by_closer.entry(number).or_insert_with(|| Closed {
            handler: Arc::clone(&closer.handler),
            key: closer.key.clone(),
            waits_for: hold.waits_for,
            held: 0,
            since_ms: hold.since_ms,
        });
        closed.held += 1;
        closed.since_ms = closed.since_ms.min(hold.since_ms);
    }
    let mut all: Vec<Closed> = by_closer.into_values().collect();
    all.sort_by_key(|closed| std::cmp::Reverse(closed.held));
    all.truncate(CLOSED_SHOWN);
    all
}

/// What keeps a service from being ready, as its parts say.
fn reasons(vitals: &Vitals) -> Vec<Reason> {
    if vitals.ended.is_set() {
        return vec![Reason::Ended];
    }
    let mut reasons = Vec::new();
    let left = vitals.probation.now() as u64;
    if left > 0 {
        reasons.push(Reason::Probation { left });
    }
    let flags = [
        (&vitals.holds_full, Reason::HoldsFull),
        (&vitals.invalid_full, Reason::InvalidFull),
        (&vitals.unhandled_full, Reason::UnhandledFull),
        (&vitals.timers_full, Reason::TimersFull),
        (&vitals.outbox_full, Reason::OutboxFull),
        (&vitals.broker_full, Reason::BrokerFull),
        (&vitals.no_room, Reason::NoRoom),
        (&vitals.stopping, Reason::Stopping),
    ];
    reasons.extend(vitals.full_streams.borrow().iter().cloned().map(Reason::StreamFull));
    let set = flags.into_iter().filter(|(flag, _)| flag.is_set());
    reasons.extend(set.map(|(_, reason)| reason));
    reasons
}

impl Live {
    fn running(&self) -> RunningStatus {
        let Live { vitals, counts, .. } = self;
        RunningStatus {
            in_flight: vitals.in_flight.now() as u64,
            in_flight_bytes: vitals.in_flight_bytes.now() as u64,
            in_flight_most: vitals.in_flight.most() as u64,
            in_flight_bytes_most: vitals.in_flight_bytes.most() as u64,
            outbox_most: vitals.outbox.most() as u64,
            fetched: counts.fetched(),
            duplicates: counts.duplicates(),
            accepted: counts.accepted(),
            held: counts.held(),
            handlers: self.handlers(),
            lag: counts.lag(),
            intake: self.intake(),
            in_layers: vitals.waits.layers_wait(),
            blocked: vitals.waits.blocked(),
            lost: counts.lost(),
            mismatched: counts.mismatched(),
            full_streams: vitals.full_streams.borrow().clone(),
        }
    }

    /// What messages from outside wait for, if some do.
    fn intake(&self) -> Option<IntakeWait> {
        let (room_in, since_ms) = self.vitals.waits.intake_waits()?;
        let waiting = self.arrivals.waiting();
        (waiting > 0).then_some(IntakeWait { waiting, room_in, since_ms })
    }

    fn handlers(&self) -> BTreeMap<Arc<str>, HandlerStatus> {
        let mut handlers: BTreeMap<Arc<str>, HandlerStatus> = BTreeMap::new();
        for (name, handled) in self.counts.handled() {
            handlers.entry(name.into()).or_default().handled = handled;
        }
        for (name, retried) in self.counts.retried() {
            handlers.entry(name.into()).or_default().retried = retried;
        }
        for (name, dead) in self.counts.dead() {
            handlers.entry(name.into()).or_default().dead = dead;
        }
        handlers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_that_stands_still_is_a_reason() {
        let vitals = Vitals::default();
        let ready = || Readiness { reasons: reasons(&vitals), ..Readiness::default() };
        assert_eq!((ready().is_ready(), ready().to_string()), (true, "ready".into()));
        vitals.holds_full.set(true);
        vitals.probation.set(2);
        vitals.stopping.set(true);
        let wanted = [Reason::Probation { left: 2 }, Reason::HoldsFull, Reason::Stopping];
        assert_eq!(ready().reasons, wanted);
        let said = ready().to_string();
        assert!(said.starts_with("not ready: 2 messages that ran"), "{said}");
        assert!(said.contains("; so much is kept"), "{said}");
        vitals.ended.set(true);
        assert_eq!(ready().reasons, [Reason::Ended], "nothing else counts then");
    }
}
