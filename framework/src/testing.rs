//! Testing services without a broker.

mod test_app;

pub use test_app::TestApp;
