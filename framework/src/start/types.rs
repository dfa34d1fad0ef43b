//! Types that the store has taken: renamed, retired, ignored, or missing from the app.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::StartError;
use crate::broker::Broker;
use crate::store::{Found, RenamedType, Renames};
use crate::wiring::{Ignored, Topic, Wiring};

/// How many records of a topic wait for a service that does not run yet, where its broker knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting(pub Option<u64>);

impl std::fmt::Display for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(1) => f.write_str("1 record, of whatever type, waits in the topic now"),
            Some(count) => write!(f, "{count} records, of whatever types, wait in the topic now"),
            None => f.write_str("how many wait in the topic, its broker does not say"),
        }
    }
}

/// What the app has to do with types of other names.
#[derive(Debug, Default)]
pub(crate) struct Types {
    /// Old names and those now, by topic.
    pub(crate) renamed: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Arc<str>>>,
    /// For the store: what has another name, and what is taken no more.
    pub(crate) renames: Vec<RenamedType>,
}

/// Follows what types were called before, as the app says and the store remembers, and checks that
/// none is missing that the store has taken.
pub(crate) fn types(
    found: &Found,
    wiring: &Wiring,
    said: &Renames,
    broker: &dyn Broker,
) -> Result<Types, StartError> {
    said.types.iter().try_for_each(|one| check(one, said, wiring))?;
    let takes = |topic: &str, name: &str| {
        wiring.routes.get(topic).is_some_and(|types| types.contains_key(name))
    };
    let took = |topic: &Arc<str>, name: &Arc<str>| {
        found.catalog.types.iter().any(|(of, known)| of == topic && known == name)
    };
    let mut types = Types::default();
    let remembered = found.renamed_types.iter().filter(|one| !is_said(one, &said.types));
    for one in said.types.iter().chain(remembered) {
        let RenamedType { topic, old, .. } = one;
        if takes(topic, old) {
            // Remembered of before: a name that is taken again stands for itself.
            continue;
        }
        let new = follow(one, found, said, takes)?;
        if let Some(new) = &new {
            let is_known = takes(topic, new);
            if !is_known && took(topic, old) {
                let (topic, old, new) = (Arc::clone(topic), Arc::clone(old), Arc::clone(new));
                return Err(StartError::RenamedTypeToUnknown { topic, old, new });
            }
            let of_topic = types.renamed.entry(Arc::clone(topic)).or_default();
            of_topic.insert(Arc::clone(old), Arc::clone(new));
        }
        types.renames.push(RenamedType { topic: Arc::clone(topic), old: Arc::clone(old), new });
    }
    for (topic, name) in &found.catalog.types {
        if takes(topic, name) || types.renames.iter().any(|one| one.is(topic, name)) {
            continue;
        }
        if !wiring.ignores(topic, name) {
            return Err(missing(topic, name, found, wiring, broker));
        }
        let (topic, old) = (Arc::clone(topic), Arc::clone(name));
        types.renames.push(RenamedType { topic, old, new: None });
    }
    warn_of_topics(&types, found, wiring, broker);
    Ok(types)
}

impl RenamedType {
    fn is(&self, topic: &str, old: &str) -> bool {
        *self.topic == *topic && *self.old == *old
    }
}

fn is_said(one: &RenamedType, said: &[RenamedType]) -> bool {
    said.iter().any(|other| other.is(&one.topic, &one.old))
}

/// Refuses a rename by which a message could be handled twice.
fn check(one: &RenamedType, said: &Renames, wiring: &Wiring) -> Result<(), StartError> {
    let RenamedType { topic, old, new } = one;
    let Some(new) = new else { return Ok(()) };
    let (topic, old) = (Arc::clone(topic), Arc::clone(old));
    if wiring.routes.get(&topic).is_some_and(|types| types.contains_key(&old)) {
        return Err(StartError::RenamedTypeTaken { topic, old, new: Arc::clone(new) });
    }
    let others = said.types.iter().filter(|other| other.is(&topic, &old));
    if others.clone().any(|other| other.new != one.new) {
        return Err(StartError::RenamedTypeTwice { topic, old });
    }
    Ok(())
}

/// What a type is called now, over several releases; `None`: it is retired.
fn follow(
    one: &RenamedType,
    found: &Found,
    said: &Renames,
    takes: impl Fn(&str, &str) -> bool,
) -> Result<Option<Arc<str>>, StartError> {
    let mut name = one.new.clone();
    // A chain has at most as many steps as there are renames; a longer one is a circle.
    for _ in 0..=said.types.len() + found.renamed_types.len() {
        let Some(new) = &name else { return Ok(None) };
        let mut known = said.types.iter().chain(&found.renamed_types);
        match known.find(|other| other.is(&one.topic, new)) {
            Some(next) if !takes(&one.topic, new) => name = next.new.clone(),
            _ => return Ok(name),
        }
    }
    let (topic, old) = (Arc::clone(&one.topic), Arc::clone(&one.old));
    Err(StartError::RenamedTypeTwice { topic, old })
}

/// A type that the store has taken, and the app does not know.
fn missing(
    topic: &Arc<str>,
    type_name: &Arc<str>,
    found: &Found,
    wiring: &Wiring,
    broker: &dyn Broker,
) -> StartError {
    let known = |name: &Arc<str>| {
        found.catalog.types.iter().any(|(of, known)| of == topic && known == name)
    };
    let mut news = wiring.routes.get(topic).into_iter().flat_map(|types| types.keys());
    let mut news = news.by_ref().filter(|name| !known(name));
    let new_name = news.next().filter(|_| news.next().is_none()).cloned();
    let (topic, type_name) = (Arc::clone(topic), Arc::clone(type_name));
    let waiting = Waiting(waiting(&topic, found, broker));
    StartError::UnknownType { topic, type_name, new_name, waiting }
}

/// How many records of a topic the store has not settled, if the broker knows.
fn waiting(topic: &str, found: &Found, broker: &dyn Broker) -> Option<u64> {
    let spans = broker.spans(topic)?;
    let left = spans.into_iter().map(|span| {
        let done = found.cursors.iter().find(|(id, _)| **id == span.partition);
        let done = done.map_or(0, |(_, done)| done.len());
        span.end.saturating_sub(span.first.max(done))
    });
    Some(left.sum())
}

/// Says what is given up with a topic of which the app takes nothing any more.
fn warn_of_topics(types: &Types, found: &Found, wiring: &Wiring, broker: &dyn Broker) {
    for (topic, type_name) in &found.catalog.types {
        let is_retired = types.renames.iter().any(|one| one.is(topic, type_name));
        if !is_retired || wiring.routes.contains_key(topic) {
            continue;
        }
        tracing::warn!(
            target: "endwise::unhandled", service = &*wiring.service, topic = &**topic,
            r#type = &**type_name, waiting = waiting(topic, found, broker),
            "the topic is not read any more: what waits in it for this service is given up",
        );
    }
}

/// What a handler takes is not ignored.
pub(super) fn check_ignored(
    ignored: &BTreeMap<Arc<str>, Ignored>,
    routes: &BTreeMap<Arc<str>, Topic>,
) -> Result<(), StartError> {
    for (topic, ignored) in ignored {
        let taken = |type_name: &&Arc<str>| {
            routes.get(topic).is_some_and(|types| types.contains_key(&**type_name))
        };
        if let Some(type_name) = ignored.types.iter().find(taken) {
            let (topic, type_name) = (Arc::clone(topic), Arc::clone(type_name));
            return Err(StartError::IgnoredAndTaken { topic, type_name });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::memory::MemoryBroker;
    use crate::store::Catalog;

    fn renamed(old: &str, new: Option<&str>) -> RenamedType {
        RenamedType { topic: "t".into(), old: old.into(), new: new.map(Into::into) }
    }

    fn names(found: &Found, said: &[RenamedType]) -> Result<Vec<(String, String)>, StartError> {
        let wiring = crate::start::wire(&crate::app::App::new("s")).unwrap();
        let said = Renames { types: said.to_vec(), ..Renames::default() };
        let types = types(found, &wiring, &said, &MemoryBroker::default())?;
        let all = types.renames.into_iter();
        Ok(all.map(|one| (one.old.to_string(), format!("{:?}", one.new))).collect())
    }

    #[test]
    fn what_was_said_is_remembered_and_followed() {
        let found = Found { renamed_types: vec![renamed("a", Some("b"))], ..Found::default() };
        let now = names(&found, &[renamed("b", Some("c"))]).unwrap();
        let some = |old: &str, new: &str| (old.to_owned(), format!("Some({new:?})"));
        assert_eq!(now, [some("b", "c"), some("a", "c")]);
        assert_eq!(names(&found, &[]).unwrap(), [some("a", "b")]);
        let now = names(&found, &[renamed("b", None)]).unwrap();
        assert_eq!(now, [("b".into(), "None".into()), ("a".into(), "None".into())]);
    }

    #[test]
    fn circles_and_two_names_are_refused() {
        for said in [
            [renamed("a", Some("b")), renamed("a", Some("c"))],
            [renamed("a", Some("b")), renamed("b", Some("a"))],
        ] {
            let refused = names(&Found::default(), &said).unwrap_err();
            assert!(matches!(refused, StartError::RenamedTypeTwice { .. }), "{refused}");
        }
        let types = vec![("t".into(), "a".into())];
        let catalog = Catalog { types, ..Catalog::default() };
        let found = Found { catalog, ..Found::default() };
        let refused = names(&found, &[renamed("a", Some("b"))]).unwrap_err();
        assert!(matches!(refused, StartError::RenamedTypeToUnknown { .. }), "{refused}");
    }
}
