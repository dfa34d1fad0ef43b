//! Testing services without a broker.

#[cfg(test)]
pub(crate) mod broker_conformance;
#[cfg(test)]
pub(crate) mod store_conformance;
mod test_app;

pub use test_app::TestApp;
