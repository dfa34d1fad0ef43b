//! Ends a checkpoint between two of its batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::BaseError;

/// How many batches checkpoints may still write. A store that is dropped lets go of its directory
/// soon: what is written of its checkpoint then is done again after the next opening.
#[derive(Clone, Debug)]
pub(super) struct Brake(Arc<AtomicU64>);

impl Default for Brake {
    fn default() -> Self {
        Brake(Arc::new(AtomicU64::new(u64::MAX)))
    }
}

impl Brake {
    /// Lets checkpoints write so many batches more.
    pub(super) fn after(&self, batches: u64) {
        self.0.store(batches, Ordering::Release);
    }

    /// Says that a batch is about to be written; an error if that is one too many.
    pub(super) fn batch(&self) -> Result<(), BaseError> {
        let take = |left: u64| left.checked_sub(1);
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, take) {
            Ok(_) => Ok(()),
            Err(_) => Err(BaseError::Stopped),
        }
    }
}
