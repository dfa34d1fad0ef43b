//! Endwise: message processing turned inside out.
extern crate self as framework;

pub mod broker;
pub mod committed;
pub mod delivery;
pub mod envelope;
pub mod journal;
pub mod outcome;
pub mod stream;
mod tasks;
pub mod testing;
