//! Which kept deliveries wait for each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::PAGE;
use crate::operator::{Desk, OperatorError};
use crate::policy::Order;
use crate::store::{Kept, Wait};
use crate::stream::Key;
use crate::wiring::Wiring;

/// Which handlers have one lane for a key. Only the app tells; of a store alone it is not known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Components(BTreeMap<Arc<str>, Of>);

/// What is known of a handler.
#[derive(Clone, Debug)]
struct Of {
    part: Part,
    /// The longest wait between two of its attempts.
    wait_max: Duration,
}

/// What a handler's lanes belong to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Component(usize),
    /// The component is not known: the handler stands for it.
    Handler(Arc<str>),
    /// Each delivery has a lane of its own.
    Alone,
}

impl Components {
    pub(crate) fn of(wiring: &Wiring) -> Self {
        let part = |handler: &crate::wiring::Wired| match handler.order {
            Order::None => Part::Alone,
            _ => Part::Component(handler.component),
        };
        let handlers = wiring.handlers.iter();
        let of = |handler| Of { part: part(handler), wait_max: handler.on_failure.wait_max() };
        Components(handlers.map(|handler| (Arc::clone(&handler.name), of(handler))).collect())
    }

    /// What a delivery waits for as it will be, wherever the clock was when that was stored.
    pub(crate) fn seen_at(&self, kept: Kept, now_ms: u64) -> Kept {
        let wait_max = self.0.get(&kept.handler).map_or(Duration::MAX, |of| of.wait_max);
        Kept { wait: kept.wait.seen_at(now_ms, wait_max), ..kept }
    }

    /// The lane of a kept delivery; `None` if nothing ever waits for it.
    fn lane(&self, kept: &Kept) -> Option<(Part, Key)> {
        let part = self.0.get(&kept.handler).map(|of| of.part.clone());
        let part = part.unwrap_or_else(|| Part::Handler(Arc::clone(&kept.handler)));
        (part != Part::Alone).then_some(part).zip(kept.key.clone())
    }
}

/// All that is kept, and what waits for what.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    components: Components,
    all: BTreeMap<u64, Kept>,
    /// The first of each lane that is not passed over.
    heads: BTreeMap<(Part, Key), u64>,
    /// The first of each key that closes a lane.
    closers: BTreeMap<Key, u64>,
    /// What waits behind each that something waits for, in order.
    behind: BTreeMap<u64, Vec<u64>>,
}

impl Lanes {
    /// As it is durable now, but for what changes while it is read.
    pub(crate) async fn read(desk: &Desk) -> Result<Self, OperatorError> {
        let mut all = Vec::new();
        loop {
            let after = all.last().map(|kept: &Kept| kept.number);
            let page = desk.reader.kept(after, PAGE).await?;
            let is_last = page.len() < PAGE;
            let now_ms = desk.clock.now_ms();
            all.extend(page.into_iter().map(|kept| desk.components.seen_at(kept, now_ms)));
            if is_last {
                return Ok(Lanes::of(all, desk.components.clone()));
            }
        }
    }

    /// Of all that is kept, in the order of its numbers.
    pub(super) fn of(kept: Vec<Kept>, components: Components) -> Self {
        let mut lanes = Lanes { components, ..Lanes::default() };
        for kept in kept {
            if !is_spent(&kept) {
                lanes.enter(&kept);
            }
            lanes.all.insert(kept.number, kept);
        }
        lanes
    }

    /// Gives one its place behind those before it.
    fn enter(&mut self, kept: &Kept) {
        let number = kept.number;
        if let Some(closer) = self.closer_number(kept) {
            self.behind.entry(closer).or_default().push(number);
        }
        if let Some(lane) = self.components.lane(kept) {
            self.heads.entry(lane).or_insert(number);
        }
        if let Some(key) = kept.key.clone().filter(|_| kept.wait != Wait::Held) {
            self.closers.entry(key).or_insert(number);
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Kept> {
        self.all.values()
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Kept> {
        self.all.get(&number)
    }

    /// Those that are held behind others.
    pub(crate) fn held(&self) -> impl Iterator<Item = &Kept> {
        self.all().filter(|kept| kept.wait == Wait::Held)
    }

    pub(crate) fn dead(&self) -> impl Iterator<Item = &Kept> {
        self.all().filter(|kept| matches!(kept.wait, Wait::Dead { .. }))
    }

    /// What a delivery waits for: the first in its lane that is not passed over.
    pub(super) fn closer(&self, kept: &Kept) -> Option<&Kept> {
        self.closer_number(kept).and_then(|number| self.get(number))
    }

    fn closer_number(&self, kept: &Kept) -> Option<u64> {
        let lane = self.components.lane(kept)?;
        let before = |number: &u64| *number < kept.number;
        // Of a store alone it is not known which handlers share a state. What is held is held
        // behind something, so another handler's of the same key, if its own is not there.
        let of_key = match &lane {
            (Part::Handler(_), key) => self.closers.get(key).copied(),
            _ => None,
        };
        self.heads.get(&lane).copied().filter(before).or(of_key.filter(before))
    }

    /// Those that wait behind a delivery which closes its lane, in the order in which they go on.
    pub(super) fn followers(&self, closer: &Kept) -> impl ExactSizeIterator<Item = u64> {
        self.behind.get(&closer.number).map_or(&[][..], Vec::as_slice).iter().copied()
    }
}

/// Whether it is a dead letter that the others have passed.
fn is_spent(kept: &Kept) -> bool {
    matches!(kept.wait, Wait::Dead { skip_ms: Some(0), .. })
}
