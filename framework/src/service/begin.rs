//! How the consume loop begins: with what the store keeps in its lanes.

use std::sync::Arc;

use super::Setting;
use super::start::Lines;
use crate::broker::Consumer;
use crate::clock::{Clock, Now, millis};
use crate::consume::admit::Admit;
use crate::consume::decode::Decoder;
use crate::consume::lane::{KeptJob, Lanes, Pause};
use crate::consume::parked::Parked;
use crate::consume::probation::Probation;
use crate::consume::{Consume, runs_max};
use crate::intake::Arrivals;
use crate::limits::Limits;
use crate::message::json::ReadBack;
use crate::operator::Live;
use crate::policy::OnFailure;
use crate::queue::Queue;
use crate::status::BlockedThread;
use crate::store::{Kept, Reader, Recovered};
use crate::tasks::Tasks;
use crate::vitals::Vitals;
use crate::watchdog::{self, Blocked, Watchdog};
use crate::wiring::Wiring;

/// What a consume loop is made of.
pub(super) struct Parts<'a> {
    pub(super) wiring: Arc<Wiring>,
    pub(super) consumer: Box<dyn Consumer>,
    pub(super) reader: Arc<dyn Reader>,
    pub(super) recovered: Recovered,
    pub(super) setting: Setting,
    pub(super) probation: Probation,
    pub(super) read_back: Arc<ReadBack>,
    pub(super) lines: &'a Lines,
}

impl Lines {
    /// What the service says of itself while it runs.
    pub(super) fn live(&self, arrivals: Arrivals, limits: Limits) -> Live {
        let (vitals, counts) = (Arc::clone(&self.vitals), Arc::clone(&self.counts));
        Live { vitals, counts, open: self.open.subscribe(), arrivals, limits }
    }
}

impl Consume {
    /// The loop, which has not begun. What the store keeps is in its lanes.
    pub(super) fn new(parts: Parts<'_>) -> Self {
        let Parts { wiring, consumer, reader, recovered, setting, probation, .. } = parts;
        let (read_back, lines) = (parts.read_back, parts.lines);
        let Setting { limits, clock, seed, drain, sampling: _ } = setting;
        let mut lanes = Lanes::new(recovered.kept_next, limits.followers_max);
        let now = clock.read();
        lanes.set_now(now.steady_ms);
        let admit = Admit::new(&recovered, runs_max(&limits));
        for kept in recovered.kept {
            recover(kept, now, &wiring, &probation, &mut lanes);
        }
        // Whoever waits for the service to settle sees what is left to do before it has begun.
        lines.vitals.live.send_replace(lanes.live());
        let watchdog = watch(&clock, &lines.vitals);
        Consume {
            wiring,
            consumer,
            admit,
            parked: Parked::default(),
            reader,
            clock,
            seed,
            drain,
            ended: Queue::new(limits.lanes_max),
            decoder: Decoder::new(limits.of_messages()),
            limits,
            lanes,
            work: lines.work.clone(),
            settled: lines.settled.clone(),
            requests: lines.requests.clone(),
            open: lines.open.subscribe(),
            totals: lines.vitals.totals.subscribe(),
            stop: lines.stop.subscribe(),
            counts: Arc::clone(&lines.counts),
            vitals: Arc::clone(&lines.vitals),
            tasks: Tasks::new(),
            probation,
            read_back,
            watchdog,
            state: Default::default(),
        }
    }
}

/// A watchdog that notes which handlers hold their threads.
fn watch(clock: &Clock, vitals: &Arc<Vitals>) -> Watchdog {
    let (clock, vitals) = (clock.clone(), Arc::clone(vitals));
    Watchdog::start(watchdog::Setting::default(), move |blocked| {
        let now_ms = clock.now_ms();
        let one = |Blocked { handler, key, held }| BlockedThread {
            handler,
            key,
            since_ms: now_ms.saturating_sub(millis(held)),
        };
        vitals.waits.set_blocked(blocked.into_iter().map(one).collect());
    })
}

/// Puts a kept delivery into its lane. Start-up has refused a store with one of a handler that
/// the app lacks.
fn recover(kept: Kept, now: Now, wiring: &Wiring, probation: &Probation, lanes: &mut Lanes) {
    let Some(&handler) = wiring.numbers(std::slice::from_ref(&kept.handler)).first() else {
        return;
    };
    let is_suspect = probation.is_suspect(&kept.position, &kept.handler);
    let policy = wiring.handlers.get(handler).map(|handler| &handler.on_failure);
    let wait_max = policy.map(OnFailure::wait_max).unwrap_or_default();
    let job = KeptJob {
        handler,
        position: kept.position,
        since_ms: now.steady_at(kept.since_ms),
        wait: Pause::of(&kept.wait, now, wait_max),
        attempts: kept.attempts,
        late: kept.late,
        bytes: kept.bytes,
        uncommitted: 0,
        is_suspect,
    };
    lanes.recover(kept.number, wiring.lane_of(handler), kept.key.as_ref(), job);
}
