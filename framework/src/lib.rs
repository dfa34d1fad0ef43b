//! Endwise: message processing turned inside out.
extern crate self as framework;

pub mod prelude;

pub mod message;
pub mod state;

pub mod argument;
pub mod handler;
pub mod outgoing;

pub mod dependencies;
pub mod policy;

pub mod error;

pub mod stream;

pub mod envelope;

pub mod delivery;
pub mod outcome;

pub mod committed;

pub mod broker;
pub mod store;

mod clock;
mod queue;
mod tasks;

pub use error::Result;
