//! Taking in what the app consists of, and what was renamed or retired since.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::change::{Change, Id, KeptRow, Place, Registered};
use super::super::{Catalog, RenamedType, Renames, StoreError};
use super::Tables;
use super::plan::Plan;

impl Tables {
    /// Carries out renames, then writes the app's names down.
    pub(in crate::store) fn adopt(
        &mut self,
        catalog: Catalog,
        renames: Renames,
    ) -> Result<Plan, StoreError> {
        let states = self.state_renames(&renames.states)?;
        self.check_kept(&renames.handlers)?;
        let mut plan = Plan::default();
        self.rename_handlers(&renames.handlers, &mut plan);
        for (id, name, is) in states {
            self.change(Change::StateName(id, name, is), &mut plan);
        }
        self.rename_types(&renames.types, &mut plan);
        self.register_all(catalog, &mut plan);
        plan.durable.totals = self.totals();
        Ok(plan)
    }

    /// What was sent under an old name, and waits, is found under its new one.
    fn rename_types(&mut self, renames: &[RenamedType], plan: &mut Plan) {
        for RenamedType { topic, old, new } in renames {
            let (topic, old) = (self.name(topic, plan), self.name(old, plan));
            if self.app.types.contains(&(topic, old)) {
                self.change(Change::Type(topic, old, Registered::No), plan);
            }
            let new = new.as_ref().map(|new| self.name(new, plan));
            if self.app.renamed.get(&(topic, old)).copied() != new {
                self.change(Change::TypeRenamed(topic, old, new), plan);
            }
        }
    }

    /// What becomes of the states that are renamed or retired, in an order in which no name
    /// stands for two of them. Nothing changes yet: two states cannot become one.
    fn state_renames(
        &self,
        renames: &[(Arc<str>, Option<Arc<str>>)],
    ) -> Result<Vec<(Id, Arc<str>, Registered)>, StoreError> {
        let mut done = Vec::new();
        let mut names: BTreeMap<&str, Id> =
            self.state_names.iter().map(|(id, name)| (&**name, id)).collect();
        let mut left: Vec<_> =
            renames.iter().filter(|(old, _)| names.contains_key(&**old)).collect();
        while !left.is_empty() {
            // The number stands for the new name from here on; every row keeps the number.
            let free = left.iter().position(|(old, new)| {
                new.as_ref().is_none_or(|new| new == old || !names.contains_key(&**new))
            });
            let Some(free) = free else {
                let both = left.first().and_then(|(old, new)| Some((old, new.as_ref()?)));
                return both.map_or(Ok(done), |(old, new)| Err(self.both_states(old, new)));
            };
            let (old, new) = left.remove(free);
            let Some(id) = names.remove(&**old) else { continue };
            let name = new.as_ref().unwrap_or(old);
            names.insert(name, id);
            let is = if new.is_some() { Registered::Yes } else { Registered::No };
            if name != old || self.app.states.contains(&id) != new.is_some() {
                done.push((id, Arc::clone(name), is));
            }
        }
        Ok(done)
    }

    /// What is kept for one handler cannot become another's that the app had beside it: that one
    /// may have handled the message itself.
    fn check_kept(&self, renames: &[(Arc<str>, Option<Arc<str>>)]) -> Result<(), StoreError> {
        for (old, new) in renames {
            let (Some(id), Some(new)) = (self.names.id(old), new) else { continue };
            let had = self.names.id(new).is_some_and(|new| self.app.handlers.contains(&new));
            let goes_on = old == new || renames.iter().any(|(other, _)| other == new);
            if had && !goes_on && self.kept.deliveries().any(|row| row.handler == id) {
                return Err(StoreError::Refused {
                    place: format!("of service {:?}", self.identity.service).into(),
                    reason: format!(
                        "handler {old:?} cannot be renamed to {new:?}: the store keeps deliveries \
                         for {old:?}, and {new:?} may have handled their messages itself"
                    )
                    .into(),
                    remedy: format!(
                        "start the version before and replay or discard what is kept for {old:?}, \
                         or give it up with .retired({old:?})"
                    )
                    .into(),
                });
            }
        }
        Ok(())
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
            // A name that is taken again stands for itself.
            if self.app.renamed.contains_key(&(topic, name)) {
                self.change(Change::TypeRenamed(topic, name, None), plan);
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

    /// What is pending or kept for an old name is so for its new one, or given up when retired. All
    /// at once, so that a name which moves on does not take along what has just come to it.
    fn rename_handlers(&mut self, renames: &[(Arc<str>, Option<Arc<str>>)], plan: &mut Plan) {
        let mut renamed: BTreeMap<Id, Option<Id>> = BTreeMap::new();
        for (old, new) in renames {
            if let Some(old) = self.names.id(old) {
                let new = new.as_ref().map(|new| self.name(new, plan));
                renamed.entry(old).or_insert(new);
            }
        }
        let kept = self.rename_kept(&renamed, plan);
        let pending = self.inbox.all_pending().iter();
        let mine: Vec<(Place, Vec<Id>)> = pending
            .filter(|(place, handlers)| {
                let concerns = |id: &Id| renamed.contains_key(id) || kept.contains(&(**place, *id));
                handlers.iter().any(concerns)
            })
            .map(|(place, handlers)| (*place, handlers.clone()))
            .collect();
        for (place, handlers) in mine {
            let mut left = Vec::with_capacity(handlers.len());
            for id in handlers {
                let is = renamed.get(&id).copied().unwrap_or(Some(id));
                let is_new = |id: &Id| !left.contains(id) && !kept.contains(&(place, *id));
                left.extend(is.filter(is_new));
            }
            let is_settled = left.is_empty();
            self.change(Change::Pending(place, left), plan);
            if is_settled {
                self.settle(place, plan);
            }
        }
        for old in renamed.into_keys() {
            if self.app.handlers.contains(&old) {
                self.change(Change::Handler(old, Registered::No), plan);
            }
        }
    }

    /// What is kept for an old name is kept for its new one, or given up. The positions and
    /// handlers of which something is kept.
    fn rename_kept(
        &mut self,
        renamed: &BTreeMap<Id, Option<Id>>,
        plan: &mut Plan,
    ) -> BTreeSet<(Place, Id)> {
        let mut kept = BTreeSet::new();
        if renamed.is_empty() {
            return kept;
        }
        let rows: Vec<KeptRow> = self.kept.deliveries().cloned().collect();
        for row in rows {
            let is = renamed.get(&row.handler).copied().unwrap_or(Some(row.handler));
            match is {
                // Two handlers that become one handle a message once.
                Some(handler) if kept.insert((row.place, handler)) => {
                    if handler != row.handler {
                        self.change(Change::Kept(KeptRow { handler, ..row }), plan);
                    }
                }
                _ => self.keep_no_more(row.number, plan),
            }
        }
        kept
    }
}
