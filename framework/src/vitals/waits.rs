//! What is waited for at the moment, noted by those who wait, for as long as they do.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::status::{BlockedThread, LayerWait, RoomIn};

/// What waits, and since when.
#[derive(Debug, Default)]
pub(crate) struct Waits(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    /// What intake has no room in, and since when.
    intake: Option<(RoomIn, u64)>,
    /// Since when deliveries wait in layers, with a number each.
    in_layers: BTreeSet<(u64, u64)>,
    next: u64,
    blocked: Vec<BlockedThread>,
}

/// Takes its note back when it is dropped, however the wait ends.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    waits: &'a Waits,
    what: What,
}

#[derive(Debug)]
enum What {
    Intake,
    Layer((u64, u64)),
}

impl Waits {
    fn lock(&self) -> MutexGuard<'_, Noted> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Intake waits for room, from `since_ms` on.
    pub(crate) fn intake(&self, room_in: RoomIn, since_ms: u64) -> Waiting<'_> {
        self.lock().intake = Some((room_in, since_ms));
        Waiting { waits: self, what: What::Intake }
    }

    /// A delivery waits in a layer, from `since_ms` on.
    pub(crate) fn in_layer(&self, since_ms: u64) -> Waiting<'_> {
        let mut noted = self.lock();
        noted.next += 1;
        let one = (since_ms, noted.next);
        noted.in_layers.insert(one);
        Waiting { waits: self, what: What::Layer(one) }
    }

    /// These handlers hold their threads now.
    pub(crate) fn set_blocked(&self, blocked: Vec<BlockedThread>) {
        self.lock().blocked = blocked;
    }

    pub(crate) fn intake_waits(&self) -> Option<(RoomIn, u64)> {
        self.lock().intake
    }

    pub(crate) fn layers_wait(&self) -> Option<LayerWait> {
        let noted = self.lock();
        let &(since_ms, _) = noted.in_layers.first()?;
        Some(LayerWait { waiting: noted.in_layers.len() as u64, since_ms })
    }

    pub(crate) fn blocked(&self) -> Vec<BlockedThread> {
        self.lock().blocked.clone()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut noted = self.waits.lock();
        match &self.what {
            What::Intake => noted.intake = None,
            What::Layer(one) => drop(noted.in_layers.remove(one)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_told_for_as_long_as_it_does() {
        let waits = Waits::default();
        let (first, second) = (waits.in_layer(5), waits.in_layer(7));
        let intake = waits.intake(RoomIn::Outbox, 6);
        assert_eq!(waits.layers_wait(), Some(LayerWait { waiting: 2, since_ms: 5 }));
        assert_eq!(waits.intake_waits(), Some((RoomIn::Outbox, 6)));
        drop((first, intake));
        assert_eq!(waits.layers_wait(), Some(LayerWait { waiting: 1, since_ms: 7 }));
        drop(second);
        assert_eq!((waits.layers_wait(), waits.intake_waits()), (None, None));
    }
}
