//! The stores.

pub mod sled;
