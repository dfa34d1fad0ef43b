//! The core against a world of made-up handlers, stores and brokers.

mod allocations;
mod calls;
mod claims;
mod expected;
mod simulation;
mod store;
mod world;
