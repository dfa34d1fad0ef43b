//! Taking in what the app consists of, and what was renamed or retired since.

use std::sync::Arc;

use super::super::change::{Change, Id, Place, Registered};
use super::super::{Catalog, Renames, StoreError};
use super::Tables;
use super::plan::Plan;

impl Tables {
    /// Carries out renames, then writes the app's names down.
    pub(in crate::store) fn adopt(
        &mut self,
        catalog: Catalog,
        renames: Renames,
    ) -> Result<Plan, StoreError> {
        let mut plan = Plan::default();
        for (old, new) in &renames.handlers {
            self.rename_handler(old, new.as_ref(), &mut plan);
        }
        for (old, new) in &renames.states {
            let Some(id) = self.state_names.id(old) else { continue };
            let (name, is) = match new {
                Some(new) if self.state_names.id(new).is_some() => {
                    return Err(self.both_states(old, new));
                }
                // The number stands for the new name from here on; every row keeps the number.
                Some(new) => (new, Registered::Yes),
                None => (old, Registered::No),
            };
            self.change(Change::StateName(id, Arc::clone(name), is), &mut plan);
        }
        for (topic, name) in &renames.types {
            if let (Some(topic), Some(name)) = (self.names.id(topic), self.names.id(name)) {
                self.change(Change::Type(topic, name, Registered::No), &mut plan);
            }
        }
        self.register_all(catalog, &mut plan);
        Ok(plan)
    }

    fn both_states(&self, old: &str, new: &str) -> StoreError {
        StoreError::Refused {
            place: format!("of service {:?}", self.identity.service).into(),
            reason: format!("state {old:?} cannot be renamed to {new:?}: it holds both").into(),
            remedy: "choose a name that the store does not know yet".into(),
        }
    }

    fn register_all(&mut self, catalog: Catalog, plan: &mut Plan) {
        for handler in &catalog.handlers {
            let id = self.name(handler, plan);
            if !self.app.handlers.contains(&id) {
                self.change(Change::Handler(id, Registered::Yes), plan);
            }
        }
        for state in &catalog.states {
            let id = self.state_name(state, plan);
            if !self.app.states.contains(&id) {
                self.change(Change::StateName(id, Arc::clone(state), Registered::Yes), plan);
            }
        }
        for (topic, name) in &catalog.types {
            let (topic, name) = (self.name(topic, plan), self.name(name, plan));
            if !self.app.types.contains(&(topic, name)) {
                self.change(Change::Type(topic, name, Registered::Yes), plan);
            }
        }
        // A handler that has nothing left to do may go without a word.
        let gone =
            |id: &Id| !self.names.get(*id).is_some_and(|name| catalog.handlers.contains(name));
        let gone: Vec<Id> = self.app.handlers.iter().copied().filter(gone).collect();
        for id in gone {
            self.change(Change::Handler(id, Registered::No), plan);
        }
    }

    /// What is pending for the old name is pending for the new one, or done when retired.
    fn rename_handler(&mut self, old: &Arc<str>, new: Option<&Arc<str>>, plan: &mut Plan) {
        let Some(old) = self.names.id(old) else { return };
        let new = new.map(|new| self.name(new, plan));
        let pending = self.inbox.all_pending().iter();
        let mine: Vec<(Place, Vec<Id>)> = pending
            .filter(|(_, handlers)| handlers.contains(&old))
            .map(|(place, handlers)| (*place, handlers.clone()))
            .collect();
        for (place, mut handlers) in mine {
            handlers.retain(|id| *id != old);
            handlers.extend(new.filter(|new| !handlers.contains(new)));
            let settled = handlers.is_empty();
            self.change(Change::Pending(place, handlers), plan);
            if settled && let Place::Stream(stream, sequence) = place {
                self.change(Change::Settled(stream, sequence), plan);
            } else if settled && let Place::Foreign(partition, offset) = place {
                self.change(Change::Done(partition, offset), plan);
            }
        }
        self.change(Change::Handler(old, Registered::No), plan);
    }
}
