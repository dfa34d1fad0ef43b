//! Endwise: message processing turned inside out.
extern crate self as framework;

pub mod argument;
pub mod delivery;
pub mod dependencies;
pub mod envelope;
pub mod error;
pub mod handler;
pub mod message;
pub mod outcome;
pub mod outgoing;
pub mod policy;
pub mod prelude;
pub mod state;
pub mod stream;

pub use error::Result;
