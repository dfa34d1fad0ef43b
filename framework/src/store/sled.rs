//! The sled store: a journal in front, and behind it sled as a table that is checkpointed.

// The journal-backed store that uses these comes into this file.
#[cfg_attr(not(test), expect(dead_code))]
mod base;
#[cfg_attr(not(test), expect(dead_code))]
mod checkpoint;
mod chunk;
mod error;
mod files;
mod key;
mod meta;
mod panic;
mod rows;
mod verify;

#[cfg(test)]
mod tests;

pub use chunk::Flaw;
pub use error::BaseError;
