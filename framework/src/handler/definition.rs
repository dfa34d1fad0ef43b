//! A handler's definition: what it is, as data, and how its service is built.

use std::any::type_name;
use std::fmt;
use std::time::Duration;

use tower::Service;

use super::HandlerService;
use crate::argument::MutArgument;
use crate::delivery::Delivery;
use crate::dependencies::{Dependencies, MissingDependency};
use crate::error::BoxError;
use crate::message::Input;
use crate::outcome::Outcome;
use crate::policy::{Gap, Level, Order, Retry};
use crate::state::StateSpec;
use crate::wiring::KeyOf;

/// What a handler is, as data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spec {
    /// Its name in stored data.
    pub name: &'static str,
    /// The topic that it reads.
    pub topic: &'static str,
    /// The type of message that it takes.
    pub type_name: &'static str,
    /// Whether its messages have a key.
    pub keyed: bool,
    /// Its states, in the order in which it names them.
    pub states: Vec<StateSpec>,
    /// In which order it takes its messages.
    pub order: Order,
    /// How it is tried again; what it does not say is said further out.
    pub retry: Retry,
    /// How long an attempt may take, if it says so itself.
    pub timeout: Option<Duration>,
    /// What becomes of a key's messages behind a dead letter, if it says so.
    pub gap: Option<Gap>,
    /// How many deaths of the process a message may cause, if it says so itself.
    pub crashes: Option<u32>,
    /// The types that it takes by `&T`.
    pub dependencies: Vec<&'static str>,
    /// Where it is written.
    pub location: Location,
}

impl Spec {
    /// What it asks for on failure.
    pub(crate) fn level(&self) -> Level {
        Level { retry: self.retry.clone(), timeout: self.timeout, crashes: self.crashes }
    }
}

/// A place in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file, as the compiler was given it.
    pub file: &'static str,
    /// The line, from 1.
    pub line: u32,
}

impl Location {
    /// That place: `Location::new(file!(), line!())`.
    pub const fn new(file: &'static str, line: u32) -> Self {
        Location { file, line }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

type Build = dyn Fn(&Dependencies) -> Result<HandlerService, MissingDependency> + Send + Sync;

/// A handler's specification, and how its service is built of the dependencies.
pub struct Definition {
    spec: Spec,
    key_of: KeyOf,
    build: Box<Build>,
}

impl Definition {
    /// Starts one: a handler of that name that takes `I`.
    #[expect(clippy::new_ret_no_self, reason = "a definition is complete with its service")]
    pub fn new<I: Input>(name: &'static str, location: Location) -> Defining {
        let spec = Spec {
            name,
            topic: I::TOPIC,
            type_name: I::TYPE,
            keyed: I::KEYED,
            states: Vec::new(),
            order: Order::default(),
            retry: Retry::new(),
            timeout: None,
            gap: None,
            crashes: None,
            dependencies: Vec::new(),
            location,
        };
        Defining { spec, key_of: I::key_of }
    }

    /// What the handler is.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Reads its message's key from a body.
    pub(crate) fn key_of(&self) -> KeyOf {
        self.key_of
    }

    /// Its service. The dependencies are looked up here, once, not for each delivery.
    pub fn build(&self, dependencies: &Dependencies) -> Result<HandlerService, MissingDependency> {
        (self.build)(dependencies)
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Definition").field("spec", &self.spec).finish_non_exhaustive()
    }
}

/// A definition in the making: it has no service yet.
#[derive(Debug)]
#[must_use = "a definition is complete with `serve`"]
pub struct Defining {
    spec: Spec,
    key_of: KeyOf,
}

impl Defining {
    /// In which order it takes its messages.
    pub fn order(mut self, order: Order) -> Self {
        self.spec.order = order;
        self
    }

    /// How a failed attempt is tried again.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.spec.retry = retry;
        self
    }

    /// How long an attempt may take: more than zero. One that takes longer is dropped where it
    /// is, and has failed.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.spec.timeout = Some(timeout);
        self
    }

    /// What becomes of a key's messages behind one that has become a dead letter.
    pub fn gap(mut self, gap: Gap) -> Self {
        self.spec.gap = Some(gap);
        self
    }

    /// After how many deaths of the process, while it ran alone, a message is a dead letter: at
    /// least 1.
    pub fn crashes(mut self, crashes: u32) -> Self {
        self.spec.crashes = Some(crashes);
        self
    }

    /// It takes `&mut A`. Its service must load such arguments in the order of these calls.
    pub fn mutable<A: MutArgument>(mut self) -> Self {
        self.spec.states.extend(A::STATE);
        self
    }

    /// It takes `&T`.
    pub fn dependency<T: ?Sized + Send + Sync + 'static>(mut self) -> Self {
        self.spec.dependencies.push(type_name::<T>());
        self
    }

    /// How its service is built of the dependencies, which are looked up there.
    pub fn serve<S>(
        self,
        build: impl Fn(&Dependencies) -> Result<S, MissingDependency> + Send + Sync + 'static,
    ) -> Definition
    where
        S: Service<Delivery, Response = Outcome, Error = BoxError>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send + 'static, // across an `.await` hold what is `Send`: an `Arc`, not an `Rc`
    {
        let build =
            move |dependencies: &Dependencies| Ok(HandlerService::new(build(dependencies)?));
        Definition { spec: self.spec, key_of: self.key_of, build: Box::new(build) }
    }
}
