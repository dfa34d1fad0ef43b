//! Layers of ours. Any `tower` layer whose service is `Clone + Send + Sync` fits beside them.

mod trace;

pub use trace::{Trace, TraceService};
