//! Which kept deliveries wait for each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::PAGE;
use crate::operator::{Desk, OperatorError};
use crate::policy::Order;
use crate::store::{Kept, Wait};
use crate::stream::Key;
use crate::wiring::Wiring;

/// Which handlers have one lane for a key. Only the app tells; of a store alone it is not known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Components(BTreeMap<Arc<str>, Part>);

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
        Components(handlers.map(|handler| (Arc::clone(&handler.name), part(handler))).collect())
    }

    /// The lane of a kept delivery; `None` if nothing ever waits for it.
    fn lane(&self, kept: &Kept) -> Option<(Part, Key)> {
        let part = self.0.get(&kept.handler).cloned();
        let part = part.unwrap_or_else(|| Part::Handler(Arc::clone(&kept.handler)));
        (part != Part::Alone).then_some(part).zip(kept.key.clone())
    }
}

/// All that is kept, by number and by lane.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    components: Components,
    all: BTreeMap<u64, Kept>,
    by_lane: BTreeMap<(Part, Key), BTreeSet<u64>>,
}

impl Lanes {
    /// As it is durable now, but for what changes while it is read.
    pub(crate) async fn read(desk: &Desk) -> Result<Self, OperatorError> {
        let mut all = Vec::new();
        loop {
            let after = all.last().map(|kept: &Kept| kept.number);
            let page = desk.reader.kept(after, PAGE).await?;
            let is_last = page.len() < PAGE;
            all.extend(page);
            if is_last {
                return Ok(Lanes::of(all, desk.components.clone()));
            }
        }
    }

    pub(super) fn of(kept: Vec<Kept>, components: Components) -> Self {
        let mut lanes = Lanes { components, ..Lanes::default() };
        for kept in kept {
            if let Some(lane) = lanes.components.lane(&kept) {
                lanes.by_lane.entry(lane).or_default().insert(kept.number);
            }
            lanes.all.insert(kept.number, kept);
        }
        lanes
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

    /// What a held delivery waits for: the first in its lane that is not passed over.
    pub(super) fn closer(&self, held: &Kept) -> Option<&Kept> {
        let lane = self.components.lane(held)?;
        let closer = self.head(&lane).filter(|head| head.number < held.number);
        // Of a store alone it is not known which handlers share a state. What is held is held
        // behind something, so another handler's of the same key, if its own is not there.
        closer.or_else(|| match lane {
            (Part::Handler(_), key) => self.before(held.number).find(|before| {
                before.key.as_ref() == Some(&key) && before.wait != Wait::Held && !is_spent(before)
            }),
            _ => None,
        })
    }

    /// Those that wait behind a delivery which closes its lane, in the order in which they go on.
    pub(super) fn followers(&self, closer: &Kept) -> impl Iterator<Item = &Kept> {
        let behind = self.all.range(closer.number.saturating_add(1)..);
        let same_key = behind.map(|(_, kept)| kept).filter(|kept| kept.key == closer.key);
        let waits = same_key.filter(|kept| !is_spent(kept) && closer.key.is_some());
        waits.filter(|kept| self.closer(kept).is_some_and(|by| by.number == closer.number))
    }

    fn head(&self, lane: &(Part, Key)) -> Option<&Kept> {
        let numbers = self.by_lane.get(lane)?.iter();
        numbers.filter_map(|number| self.all.get(number)).find(|kept| !is_spent(kept))
    }

    fn before(&self, number: u64) -> impl Iterator<Item = &Kept> {
        self.all.range(..number).map(|(_, kept)| kept)
    }
}

/// Whether it is a dead letter that the others have passed.
fn is_spent(kept: &Kept) -> bool {
    matches!(kept.wait, Wait::Dead { skip_ms: Some(0), .. })
}
