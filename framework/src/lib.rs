//! Endwise: message processing turned inside out.
extern crate self as framework;

pub mod delivery;
pub mod envelope;
pub mod outcome;
pub mod store;
pub mod stream;
