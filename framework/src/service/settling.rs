//! Settling: waiting until everything that was sent is handled, or saying what it would wait for
//! in vain. Nothing here waits for time.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::broker::Standing;
use crate::limits::Limits;
use crate::status::Reason;
use crate::store::Totals;
use crate::vitals::Vitals;

/// Why not everything can be settled, by what is there at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unsettled {
    /// Registered consumers that do not run here, and how many messages wait for each.
    pub gone: Vec<(Arc<str>, u64)>,
    /// Services that fetch nothing more, and why; how many messages wait for each.
    pub full: Vec<(Arc<str>, Reason, u64)>,
    /// The broker has no room for what is sent.
    pub is_broker_full: bool,
}

impl std::fmt::Display for Unsettled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not everything can be settled")?;
        for (consumer, behind) in &self.gone {
            write!(
                f,
                "; {behind} messages wait for {consumer:?}, which does not run here: start it, or \
                 have the broker forget it (forget_consumer)"
            )?;
        }
        for (service, reason, behind) in &self.full {
            write!(f, "; {behind} messages wait for {service:?}: {reason}")?;
        }
        if self.is_broker_full {
            f.write_str("; the broker has no room for what is sent")?;
        }
        Ok(())
    }
}

/// What a service says of what it has to do.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(super) service: Arc<str>,
    pub(super) limits: Limits,
    pub(super) vitals: Arc<Vitals>,
    /// Messages that are committed and not confirmed by the broker.
    pub(super) open: watch::Receiver<usize>,
    pub(super) coming: watch::Receiver<usize>,
    pub(super) live: watch::Receiver<usize>,
    pub(super) fetched: watch::Receiver<usize>,
    pub(super) totals: watch::Receiver<Totals>,
}

impl Work {
    /// From here on, a change wakes.
    pub(crate) fn mark_unchanged(&mut self) {
        for count in [&mut self.open, &mut self.coming, &mut self.live, &mut self.fetched] {
            count.mark_unchanged();
        }
        self.totals.mark_unchanged();
    }

    /// Waits for a change.
    pub(crate) async fn changed(&mut self) {
        let Work { open, coming, live, fetched, totals, .. } = self;
        let counts = [open, coming, live, fetched];
        let mut all: Vec<BoxFuture<'_, _>> = Vec::with_capacity(5);
        for count in counts {
            all.push(Box::pin(count.changed()));
        }
        all.push(Box::pin(totals.changed()));
        // One that has gone has ended with its service, which is told elsewhere.
        drop(futures::future::select_all(all).await.0);
    }

    /// Messages that were called in, and are not committed. To be looked at before the broker is.
    pub(crate) fn is_coming(&self) -> bool {
        *self.coming.borrow() > 0
    }
}

/// What a look at one moment comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Settled,
    /// Something goes on by itself.
    Busy,
    Stuck(Unsettled),
}

/// Looks at services and their broker. `coming` was looked at before the consumers were.
pub(crate) fn look(
    services: &[Work],
    coming: bool,
    consumers: &[Standing],
    has_room: bool,
) -> Look {
    let mut stuck = Unsettled { is_broker_full: !has_room && coming, ..Unsettled::default() };
    let mut is_busy = coming && has_room;
    for of in consumers.iter().filter(|of| of.behind > 0) {
        if !of.is_here {
            stuck.gone.push((Arc::clone(&of.consumer), of.behind));
            continue;
        }
        let known = services.iter().find(|service| service.service == of.consumer);
        match known.and_then(Work::full) {
            Some(reason) => stuck.full.push((Arc::clone(&of.consumer), reason, of.behind)),
            None => is_busy = true,
        }
    }
    for service in services {
        let is_open = *service.open.borrow() > 0;
        // With room, what was refused is published with the next try.
        let waits = is_open && !has_room && service.vitals.broker_full.is_set();
        stuck.is_broker_full |= waits;
        is_busy |= (is_open && !waits) || *service.live.borrow() > 0;
    }
    match is_busy {
        true => Look::Busy,
        false if stuck == Unsettled::default() => Look::Settled,
        false => Look::Stuck(stuck),
    }
}

impl Work {
    /// Why it fetches nothing more, until somebody does something about it.
    fn full(&self) -> Option<Reason> {
        let is_idle = *self.live.borrow() == 0 && *self.fetched.borrow() == 0;
        full(&self.limits, &self.totals.borrow()).filter(|_| is_idle)
    }
}

/// Why so much is stored that nothing more is fetched, if it is.
fn full(limits: &Limits, totals: &Totals) -> Option<Reason> {
    let kept = totals.held + totals.waiting + totals.dead;
    if kept >= limits.holds_max || totals.kept_bytes >= limits.holds_bytes_max {
        return Some(Reason::HoldsFull);
    }
    if totals.invalid >= limits.invalid_max {
        return Some(Reason::InvalidFull);
    }
    let unhandled = totals.unhandled >= limits.unhandled_max
        || totals.unhandled_bytes >= limits.unhandled_bytes_max;
    unhandled.then_some(Reason::UnhandledFull)
}
