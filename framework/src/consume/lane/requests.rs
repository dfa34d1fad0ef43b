//! What an operator asks of kept deliveries.

use super::keeping::Place;
use super::one::KeptJob;
use super::{LaneId, Lanes, Pause};
use crate::stream::{Key, Position};

/// A dead letter that is to be replayed or discarded, once that is durable.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) number: u64,
    pub(crate) position: Position,
    pub(crate) handler: usize,
    /// Its lane has gone on without it.
    pub(crate) is_late: bool,
}

impl Lanes {
    /// The dead letter of that number; from here on it waits for what becomes of it.
    pub(crate) fn ask(&mut self, number: u64) -> Option<Asked> {
        let (is_late, entry) = match self.places.get_mut(&number)? {
            Place::Spent(_, entry) => (true, entry),
            Place::Lane(id) => {
                let id = *id;
                (false, self.get_mut(id)?.kept.get_mut(&number)?)
            }
        };
        let is_dead = matches!(entry.wait, Pause::Dead { .. } | Pause::Spent { .. });
        if !is_dead || !entry.is_durable() {
            return None;
        }
        entry.uncommitted = 1;
        let KeptJob { handler, ref position, .. } = **entry;
        Some(Asked { number, position: position.clone(), handler, is_late })
    }

    /// It is durable that a dead letter is handled again: it does in its place.
    pub(crate) fn replayed(&mut self, asked: &Asked) {
        let Some((key, mut entry)) = self.leave(asked.number) else { return };
        (entry.wait, entry.attempts, entry.uncommitted) = (Pause::Held, 0, 0);
        entry.late = entry.late || asked.is_late;
        match key {
            Where::In(id) => {
                if let Some(lane) = self.get_mut(id) {
                    lane.kept.insert(asked.number, entry);
                }
                self.places.insert(asked.number, Place::Lane(id));
                self.go_on(id);
            }
            Where::Of(key) => self.enter(asked.number, key, entry),
        }
    }

    /// It is durable that a dead letter is given up: those behind it go on.
    pub(crate) fn discarded(&mut self, asked: &Asked) {
        if let Some((Where::In(id), _)) = self.leave(asked.number) {
            self.go_on(id);
        }
    }

    /// Nothing came of what was asked: it waits as before.
    pub(crate) fn unasked(&mut self, asked: &Asked) {
        match self.places.get_mut(&asked.number) {
            Some(Place::Spent(_, entry)) => entry.uncommitted = 0,
            Some(Place::Lane(id)) => {
                let id = *id;
                self.durable(id, asked.number);
            }
            None => {}
        }
    }

    fn leave(&mut self, number: u64) -> Option<(Where, Box<KeptJob>)> {
        match self.places.remove(&number)? {
            Place::Spent(key, entry) => Some((Where::Of(key), entry)),
            Place::Lane(id) => {
                let entry = self.get_mut(id)?.kept.remove(&number)?;
                Some((Where::In(id), entry))
            }
        }
    }
}

/// Where a dead letter was.
enum Where {
    In(LaneId),
    Of(Option<(usize, Key)>),
}
