//! Tests of the journal: small claims on the real disk, and random histories on a model of one.

mod cache;
mod claims;
mod damage;
mod histories;
mod model;
mod rng;
