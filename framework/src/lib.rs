//! Endwise: message processing turned inside out.
//!
//! You write `#[handler]` functions; the framework is the end of the line. It owns the consume
//! loop, the durable state, ordering and acknowledgements, and each accepted message has exactly
//! one effect, or one named dead letter, in the order of its key.
//!
//! ```
//! use framework::prelude::*;
//!
//! #[derive(Message, Serialize, Deserialize)]
//! #[message(topic = "accounts", key = account)]
//! struct Deposit {
//!     account: String,
//!     cents: i64,
//! }
//!
//! #[derive(State, Default, Serialize, Deserialize)]
//! struct Account {
//!     balance: i64,
//! }
//!
//! #[handler]
//! async fn deposit(cmd: Deposit, account: &mut Account) {
//!     account.balance += cmd.cents;
//! }
//!
//! fn app() -> App {
//!     App::new("bank").handlers(handlers![deposit])
//! }
//! ```
//!
//! By value = the message · `&mut T` = this key's durable state · `&T` = a dependency · what a
//! handler returns is sent.
//!
//! [`run`] runs an app until a signal. [`Running`] and [`App::start`] give a [`Service`], whose
//! [`Producer`] takes messages in. [`testing::TestApp`] runs it in a test, in memory. The guides in
//! `docs/guide` go from the first handler to the tests; `docs/architecture.md` shows the inside.
//!
//! The modules below are in the order in which to read them.
extern crate self as framework;

// What a service is written with.
pub mod prelude;

pub mod message;
pub mod state;

pub mod handler;

pub mod argument;
pub mod outgoing;
pub mod schedule;

pub mod dependencies;
pub mod error;
pub mod layer;
pub mod policy;

// What it is run with.
pub mod app;

mod run;

mod service;

mod config;
mod limits;

pub mod dead_letters;
pub mod raw_states;
pub mod status;
pub mod timers;

mod intake;
mod sources;

pub mod testing;

// What a message is on its way: record → envelope → delivery → outcome → committed.
pub mod stream;

pub mod envelope;

pub mod delivery;

pub mod outcome;

pub mod committed;

// The flow.
mod start;
mod wiring;

mod consume;

mod relay;

mod timer;

mod marks;
mod watchdog;

mod admin;
#[cfg(feature = "cli")]
pub mod cli;
mod metrics;
mod operator;
mod vitals;

mod failure;

// What it stands on.
pub mod broker;
pub mod store;
// The next engine, built beside this one; no product code stands on it yet.
#[cfg(test)]
mod core;
#[cfg(test)]
mod ids;
#[cfg(test)]
mod table;

pub mod journal;

mod boot;
mod clock;
pub mod directory;
mod due;
mod handling;
mod hash;
mod queue;
mod random;
mod tasks;

pub use app::App;
pub use config::{BrokerConfig, Config, ConfigError, FailureConfig, Place, Secret, StoreConfig};
pub use consume::Invalid;
pub use error::Result;
pub use failure::{Cause, RunError};
pub use intake::{Accepted, IntakeError, Producer, Sent};
pub use limits::Limits;
pub use operator::OperatorError;
pub use run::{FitError, Running, Stopper, run, run_all, run_on};
pub use service::{Counts, ReadError, Service, ServiceHandle, Unsettled};
pub use sources::{Source, Sources};
pub use start::{StartError, Waiting};
pub use store::How;

/// The README and the guides: their code is compiled and run with the tests.
#[cfg(doctest)]
mod docs {
    #[doc = include_str!("../../README.md")]
    mod readme {}
    #[doc = include_str!("../../docs/protocol.md")]
    mod protocol {}
    #[doc = include_str!("../../docs/guide/handlers.md")]
    mod handlers {}
    #[doc = include_str!("../../docs/guide/errors.md")]
    mod errors {}
    #[doc = include_str!("../../docs/guide/state.md")]
    mod state {}
    #[doc = include_str!("../../docs/guide/time.md")]
    mod time {}
    #[doc = include_str!("../../docs/guide/intake.md")]
    mod intake {}
    #[doc = include_str!("../../docs/guide/layers.md")]
    mod layers {}
    #[doc = include_str!("../../docs/guide/testing.md")]
    mod testing {}
    #[doc = include_str!("../../docs/guide/configuration.md")]
    mod configuration {}
    #[doc = include_str!("../../docs/guide/limits.md")]
    mod limits {}
    #[doc = include_str!("../../docs/guide/dead-letters.md")]
    mod dead_letters {}
    #[doc = include_str!("../../docs/guide/operations.md")]
    mod operations {}
    #[doc = include_str!("../../docs/guide/observe.md")]
    mod observe {}
}
