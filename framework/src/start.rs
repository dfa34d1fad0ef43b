//! Start-up checks: what is wrong with an app is said before the first message.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::app::App;
use crate::handler::{Location, Spec};
use crate::policy::Order;
use crate::wiring::{Route, Topic, Wired, Wiring};

mod component;
mod failing;
mod found;
mod renames;
mod schedules;
mod states;
mod types;

pub(crate) use found::{catalog, check_found};
pub(crate) use renames::resolve;
pub(crate) use schedules::schedules;
pub use types::Waiting;
use types::check_ignored;
pub(crate) use types::{Types, types};

/// The longest name of a service, in bytes: it names a directory, and is part of each identity.
const NAME_BYTES_MAX: usize = 200;

/// Why an app cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The service's name cannot be part of an identity.
    #[error(
        "the service cannot be named {0:?}: a name consists of at most {NAME_BYTES_MAX} letters \
         (a-z, A-Z), digits, `.`, `_` and `-`, and is not \".\", \"..\", \"broker\" or \"ACCEPT\"; \
         give App::new another one"
    )]
    Name(Arc<str>),
    /// Two services that are to run together have one name.
    #[error("two services are named {0:?}, and would have one directory: give one another name")]
    SameService(Arc<str>),
    /// A dependency was not provided.
    #[error(
        "handler {handler:?} ({location}) takes &{type_name}, which nothing provides: add \
         .provide(..) or .provide_arc::<{type_name}>(..) to the app"
    )]
    MissingDependency {
        /// The handler.
        handler: &'static str,
        /// Where it is written.
        location: Location,
        /// The missing type.
        type_name: &'static str,
    },
    /// Two handlers have one name, or one is listed twice.
    #[error(
        "two handlers are named {name:?} ({first} and {second}): list it once, or give one \
         another name with #[handler(name = \"...\")]"
    )]
    SameName {
        /// The name.
        name: &'static str,
        /// Where the first is written.
        first: Location,
        /// Where the second is written.
        second: Location,
    },
    /// A handler takes a state twice.
    #[error(
        "handler {handler:?} ({location}) takes the state {state:?} twice: take it once, or give \
         one of the two types another name with #[state(name = \"...\")]"
    )]
    StateTwice {
        /// The handler.
        handler: &'static str,
        /// Where it is written.
        location: Location,
        /// The state.
        state: &'static str,
    },
    /// Two handlers take two types of one state name.
    #[error(
        "two types have the one state name {state:?}, {first} and {second}, and each would \
         overwrite what the other one stores: give one of them another name with \
         #[state(name = \"...\")]"
    )]
    StateOfTwoTypes {
        /// The name of both states.
        state: &'static str,
        /// One type, with a handler that takes it, and where that is written.
        first: Box<str>,
        /// The other.
        second: Box<str>,
    },
    /// A handler takes a state of a message without a key.
    #[error(
        "handler {handler:?} ({location}) takes the state {state:?}, and its message {type_name} \
         has no key to keep it by: name one with #[message(key = field)]"
    )]
    StateWithoutKey {
        /// The handler.
        handler: &'static str,
        /// Where it is written.
        location: Location,
        /// The state.
        state: &'static str,
        /// The message's type.
        type_name: &'static str,
    },
    /// A handler that takes a state asks for no order.
    #[error(
        "handler {handler:?} ({location}) takes the state {state:?} with order = none: two of its \
         calls would change one value at a time; take away order = none"
    )]
    StateWithoutOrder {
        /// The handler.
        handler: &'static str,
        /// Where it is written.
        location: Location,
        /// The state.
        state: &'static str,
    },
    /// Handlers that share a state ask for different orders.
    #[error(
        "handlers {first:?} and {second:?} share a state and differ in their order: give both the \
         same order"
    )]
    UnlikeOrder {
        /// One handler.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// Handlers that share a state ask for different gaps.
    #[error(
        "handlers {first:?} and {second:?} share a state and differ in their gap: give both the \
         same, #[handler(gap = ..)]"
    )]
    UnlikeGap {
        /// One handler.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A handler without an order says what becomes of it behind a dead letter.
    #[error(
        "handler {handler:?} ({location}) says gap with order = none: nothing waits behind its \
         dead letters; take one of the two away"
    )]
    GapWithoutOrder {
        /// The handler.
        handler: &'static str,
        /// Where it is written.
        location: Location,
    },
    /// What is asked for on failure makes no sense.
    #[error("handler {handler:?} ({location}) cannot be tried as its levels say: {problem}")]
    OnFailure {
        /// The handler.
        handler: &'static str,
        /// Where it is written.
        location: Location,
        /// What does not fit, and what to say.
        problem: Arc<str>,
    },
    /// Two schedules have one name.
    #[error(
        "two schedules are named {0:?}: list it once, or give one another name with \
         .schedule(Schedule::new(\"name\", ..))"
    )]
    SameSchedule(Arc<str>),
    /// A schedule cannot be kept.
    #[error("the schedule {name:?} cannot be kept: {problem}")]
    Schedule {
        /// The schedule.
        name: Arc<str>,
        /// What is wrong with it, and where.
        problem: Arc<str>,
    },
    /// A type is ignored that a handler takes.
    #[error(
        "the app ignores type {type_name:?} of topic {topic:?}, which a handler of it takes: take \
         it out of .ignore_types({topic:?}, ..), or take the handler away"
    )]
    IgnoredAndTaken {
        /// The topic.
        topic: Arc<str>,
        /// The type.
        type_name: Arc<str>,
    },
    /// The store has unfinished work for a handler that the app lacks.
    #[error(
        "the store has unfinished work for handler {handler:?}, which the app lacks: list it, or \
         say .renamed({handler:?}, \"new name\") or, to give its work up, .retired({handler:?})"
    )]
    UnknownHandler {
        /// The handler.
        handler: Arc<str>,
    },
    /// Something is renamed to a name that the app lacks.
    #[error(
        "{old:?} is renamed to {new:?}, which no handler of the app is called and no state that \
         one takes: correct the new name, or list the handler"
    )]
    RenamedToUnknown {
        /// The name before.
        old: Arc<str>,
        /// The name that the app lacks.
        new: Arc<str>,
    },
    /// The store holds a state that the app lacks.
    #[error(
        "the store holds values of state {state:?}, which no handler of the app takes: list one \
         that does, or say .renamed_state({state:?}, \"new name\") or .retired_state({state:?})"
    )]
    UnknownState {
        /// The state.
        state: Arc<str>,
    },
    /// The store has taken a type that the app does not take any more.
    #[error(
        "the store has taken messages of type {type_name:?} from topic {topic:?}, which no handler \
         of the app takes: list one that does. If the Rust type was renamed, give it its old name \
         back with #[message(type = {type_name:?})], or say .renamed_type({topic:?}, \
         {type_name:?}, {:?}). If it is gone for good, say .retired_type({topic:?}, \
         {type_name:?}): no handler gets those that come of it then, they are stored and listed; \
         {waiting}",
        new_name.as_deref().unwrap_or("new name")
    )]
    UnknownType {
        /// The topic.
        topic: Arc<str>,
        /// The type.
        type_name: Arc<str>,
        /// The one type that the app takes from the topic and the store does not know, if there is
        /// just one: its new name, maybe.
        new_name: Option<Arc<str>>,
        /// What waits in the topic.
        waiting: Waiting,
    },
    /// A type is renamed that a handler takes under its old name.
    #[error(
        "type {old:?} of topic {topic:?} is renamed to {new:?}, and a handler of the app takes it \
         under its old name too: its messages could be handled twice; take .renamed_type({topic:?}, \
         {old:?}, {new:?}) out, or that handler"
    )]
    RenamedTypeTaken {
        /// The topic.
        topic: Arc<str>,
        /// The name before.
        old: Arc<str>,
        /// The name now.
        new: Arc<str>,
    },
    /// A type is renamed to two names, or in a circle.
    #[error(
        "type {old:?} of topic {topic:?} is renamed to more than one name: say .renamed_type of it \
         once"
    )]
    RenamedTypeTwice {
        /// The topic.
        topic: Arc<str>,
        /// The name before.
        old: Arc<str>,
    },
    /// A type that the store has taken is renamed to one that no handler takes.
    #[error(
        "type {old:?} of topic {topic:?} is renamed to {new:?}, which no handler of the app takes \
         from that topic: correct the new name, or list a handler of it"
    )]
    RenamedTypeToUnknown {
        /// The topic.
        topic: Arc<str>,
        /// The name before.
        old: Arc<str>,
        /// The name that no handler takes.
        new: Arc<str>,
    },
}

/// Checks an app and makes it ready to run.
pub(crate) fn wire(app: &App) -> Result<Wiring, StartError> {
    check_name(&app.name)?;
    let specs: Vec<&Spec> = app.entries.iter().map(|entry| entry.spec()).collect();
    check_names(&specs)?;
    states::check(&specs)?;
    let components = component::components(&specs)?;

    let state_specs: Vec<_> = specs.iter().flat_map(|spec| &spec.states).copied().collect();
    let mut states: Vec<Arc<str>> = state_specs.iter().map(|state| state.name.into()).collect();
    states.sort();
    states.dedup();
    let mut handlers = Vec::with_capacity(specs.len());
    for (entry, component) in app.entries.iter().zip(components) {
        let spec = entry.spec();
        let service = entry.build(&app.dependencies, &app.layers).map_err(|missing| {
            let type_name = missing.type_name;
            StartError::MissingDependency { handler: spec.name, location: spec.location, type_name }
        })?;
        let number = |name: &str| states.iter().position(|state| **state == *name);
        handlers.push(Wired {
            name: spec.name.into(),
            service,
            is_layered: entry.is_layered(&app.layers),
            component,
            states: spec.states.iter().filter_map(|state| number(state.name)).collect(),
            order: spec.order,
            on_failure: failing::on_failure(entry, &app.on_failure)?,
        });
    }
    let (service, routes) = (Arc::clone(&app.name), routes(app));
    check_ignored(&app.ignored, &routes)?;
    let ignored = app.ignored.clone();
    let renamed = BTreeMap::new();
    Ok(Wiring { service, handlers, states, state_specs, routes, ignored, renamed })
}

/// A service's name is part of paths, headers and identities, and is itself in each of them.
fn check_name(name: &Arc<str>) -> Result<(), StartError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    // Those are in the data directory already, or no directory of it.
    let is_taken = matches!(&**name, "." | ".." | "broker" | "ACCEPT");
    if is_taken || !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.chars().all(fits) {
        return Err(StartError::Name(Arc::clone(name)));
    }
    Ok(())
}

fn check_names(specs: &[&Spec]) -> Result<(), StartError> {
    let mut named = BTreeMap::new();
    for spec in specs {
        if let Some(first) = named.insert(spec.name, spec.location) {
            let (name, second) = (spec.name, spec.location);
            return Err(StartError::SameName { name, first, second });
        }
    }
    Ok(())
}

fn routes(app: &App) -> BTreeMap<Arc<str>, Topic> {
    let mut routes: BTreeMap<Arc<str>, Topic> = BTreeMap::new();
    for (number, entry) in app.entries.iter().enumerate() {
        let spec = entry.spec();
        let topic = routes.entry(spec.topic.into()).or_default();
        let route = topic.entry(spec.type_name.into()).or_insert_with(|| Route {
            handlers: Vec::new(),
            names: Arc::from([]),
            key_of: entry.key_of(),
        });
        if spec.keyed {
            // Handlers may take one type of the wire as several Rust types; one with a key says it.
            route.key_of = entry.key_of();
        }
        route.handlers.push(number);
        let names = route.names.iter().cloned().chain([Arc::from(spec.name)]);
        route.names = names.collect();
    }
    routes
}

/// A handler without an order takes no state: checked after components, whose error says more.
fn check_order(spec: &Spec) -> Result<(), StartError> {
    match spec.states.first() {
        Some(state) if spec.order == Order::None => Err(StartError::StateWithoutOrder {
            handler: spec.name,
            location: spec.location,
            state: state.name,
        }),
        _ => Ok(()),
    }
}
