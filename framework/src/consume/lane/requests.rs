//! What an operator asks of kept deliveries.

use super::keeping::Place;
use super::one::KeptJob;
use super::{LaneId, Lanes, Pause};
use crate::store::StateSet;
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

/// A change of a state that an operator asks for.
#[derive(Debug)]
pub(crate) struct Edit {
    /// Which request it is.
    pub(crate) request: u64,
    pub(crate) set: Box<StateSet>,
}

impl Lanes {
    /// Has a state changed in its lane's turn: at once, if nothing of it runs or is on its way,
    /// also where a delivery closes it; else before what has not begun.
    pub(crate) fn edit(&mut self, component: usize, edit: Edit) {
        let key = (component, Key::clone(&edit.set.key));
        let known = self.by_key.get(&key).copied();
        let id = known.unwrap_or_else(|| self.open(Some(key)));
        let Some(lane) = self.get_mut(id) else { return };
        lane.edits.push_back(edit);
        self.waiting_edits += 1;
        let Some(lane) = self.get_mut(id) else { return };
        if std::mem::take(&mut lane.is_ready) {
            self.ready.retain(|ready| *ready != id);
        }
        self.go_on(id);
    }

    /// Begins a lane's next change, if nothing of it is on its way. Until that is durable, it runs.
    pub(super) fn edit_next(&mut self, id: LaneId) {
        let now = self.now_ms;
        let Some(lane) = self.get_mut(id) else { return };
        if lane.uncommitted > 0 {
            return;
        }
        let Some(edit) = lane.edits.pop_front() else { return };
        // What was left by the last outcomes is not what comes next.
        lane.states = Vec::new();
        (lane.is_running, lane.since_ms) = (true, now);
        self.waiting_edits -= 1;
        self.due_edits.push((id, edit));
        self.note_stuck(id);
    }

    /// The changes whose turn has come: they are to be committed.
    pub(crate) fn due_edits(&mut self) -> Vec<(LaneId, Edit)> {
        std::mem::take(&mut self.due_edits)
    }

    /// How many changes wait for their turn.
    pub(crate) fn waiting_edits(&self) -> usize {
        self.waiting_edits
    }

    /// A change is durable, or was refused: its lane goes on.
    pub(crate) fn edited(&mut self, id: LaneId) {
        if let Some(lane) = self.get_mut(id) {
            lane.is_running = false;
        }
        self.go_on(id);
    }

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
