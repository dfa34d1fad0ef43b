//! What a store knows of a schedule.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How far a schedule has been sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduled {
    /// Its name.
    pub name: Arc<str>,
    /// The expression whose times these were.
    pub cron: Arc<str>,
    /// All its times up to this one have been sent or passed over, milliseconds since 1970.
    pub last_ms: u64,
}
