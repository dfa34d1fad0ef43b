//! Wiring: what starting makes of an app. Handlers by number, components, and who takes what.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::handler::HandlerService;
use crate::policy::{OnFailure, Order};
use crate::state::StateSpec;
use crate::stream::Key;

mod own_key;

/// An app that has passed every check and is ready to run.
#[derive(Debug)]
pub(crate) struct Wiring {
    pub(crate) service: Arc<str>,
    pub(crate) handlers: Vec<Wired>,
    /// The names of all states; handlers refer to them by number.
    pub(crate) states: Vec<Arc<str>>,
    /// The states as the handlers name them: one may be there more than once.
    pub(crate) state_specs: Vec<StateSpec>,
    pub(crate) routes: BTreeMap<Arc<str>, Topic>,
    /// Types that no handler takes and that are settled all the same, by topic.
    pub(crate) ignored: BTreeMap<Arc<str>, Ignored>,
    /// What types were called before, by topic: old name, and the name now.
    pub(crate) renamed: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Arc<str>>>,
}

/// A handler that is ready to run.
#[derive(Debug)]
pub(crate) struct Wired {
    pub(crate) name: Arc<str>,
    pub(crate) service: HandlerService,
    /// Whether layers are around the handler: then it may wait in one before it begins.
    pub(crate) is_layered: bool,
    /// Handlers that share a state have one component, and its lanes.
    pub(crate) component: usize,
    /// Its states, in the order in which it names them.
    pub(crate) states: Vec<usize>,
    pub(crate) order: Order,
    pub(crate) on_failure: OnFailure,
}

/// The types that are taken from a topic.
pub(crate) type Topic = HashMap<Arc<str>, Route>;

/// What is ignored of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ignored {
    /// These types.
    pub(crate) types: BTreeSet<Arc<str>>,
    /// All that no handler takes.
    pub(crate) is_all: bool,
}

/// Who takes a type.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// The handlers, in the order in which the app lists them.
    pub(crate) handlers: Vec<usize>,
    /// Their names.
    pub(crate) names: Arc<[Arc<str>]>,
    /// Reads the key from a body, for messages whose envelope does not name it.
    pub(crate) key_of: KeyOf,
}

/// Reads a message's key from its body.
pub(crate) type KeyOf = fn(&[u8]) -> Result<Option<Key>, serde_json::Error>;

impl Wiring {
    /// Who takes this type from this topic.
    pub(crate) fn route(&self, topic: &str, type_name: &str) -> Option<&Route> {
        let types = self.routes.get(topic)?;
        types.get(type_name).or_else(|| types.get(self.renamed.get(topic)?.get(type_name)?))
    }

    /// Whether this type of this topic, which no handler takes, is to be ignored.
    pub(crate) fn ignores(&self, topic: &str, type_name: &str) -> bool {
        let of_topic = self.ignored.get(topic);
        of_topic.is_some_and(|ignored| ignored.is_all || ignored.types.contains(type_name))
    }

    /// The component whose lanes a handler's deliveries have; `None` if each has its own.
    pub(crate) fn lane_of(&self, handler: usize) -> Option<usize> {
        let handler = self.handlers.get(handler)?;
        (handler.order == Order::Key).then_some(handler.component)
    }

    /// The component whose lanes a state belongs to, if a handler takes it.
    pub(crate) fn component_of(&self, state: &str) -> Option<usize> {
        let state = self.states.iter().position(|name| **name == *state)?;
        let takes = |handler: &&Wired| handler.states.contains(&state);
        self.handlers.iter().find(takes).map(|handler| handler.component)
    }

    /// The name of a handler by its number.
    pub(crate) fn name(&self, handler: usize) -> Option<Arc<str>> {
        self.handlers.get(handler).map(|handler| Arc::clone(&handler.name))
    }

    /// The numbers of handlers by their names.
    pub(crate) fn numbers(&self, names: &[Arc<str>]) -> Vec<usize> {
        let number =
            |name: &Arc<str>| self.handlers.iter().position(|handler| handler.name == *name);
        names.iter().filter_map(number).collect()
    }

    /// The one type that a topic has here, if it has just one.
    pub(crate) fn only_type(&self, topic: &str) -> Option<Arc<str>> {
        let types = self.routes.get(topic)?;
        types.keys().next().filter(|_| types.len() == 1).cloned()
    }
}
