//! What tests are made of.

#[cfg(test)]
pub(crate) mod broker_conformance;
