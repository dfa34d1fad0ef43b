//! Endwise: message processing turned inside out.
extern crate self as framework;

pub mod broker;
pub mod committed;
pub mod delivery;
pub mod envelope;
pub mod outcome;
pub mod store;
pub mod stream;

mod clock;
mod queue;
mod tasks;
