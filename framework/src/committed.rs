//! The proof that a record's effect is durable, without which nothing can be acknowledged.

use std::sync::Arc;

use crate::broker::Record;
use crate::stream::PartitionId;

/// Which record, and what its broker calls it: all that settling it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRef {
    /// The partition that it came from.
    pub partition: Arc<PartitionId>,
    /// Its place there.
    pub offset: u64,
    /// The broker's token for it.
    pub token: u64,
}

impl RecordRef {
    /// The reference to a record.
    pub fn of(record: &Record) -> Self {
        let Record { partition, offset, token, .. } = record;
        RecordRef { partition: Arc::clone(partition), offset: *offset, token: *token }
    }
}

/// A record for every handler of which the store alone answers now.
///
/// Only the commit stage makes one, after the commit is durable; an early acknowledgement does
/// not compile:
///
/// ```compile_fail
/// # fn early(record: framework::committed::RecordRef) {
/// let early = framework::committed::Committed { record };
/// # }
/// ```
#[derive(Debug)]
pub struct Committed {
    record: RecordRef,
}

impl Committed {
    /// The record.
    pub fn record(&self) -> &RecordRef {
        &self.record
    }

    /// Called by `consume::commit` alone, with what a durable commit has completed (`tidy` holds
    /// that no other file names this).
    pub(crate) fn by_durable_commit(record: RecordRef) -> Self {
        Committed { record }
    }
}
