//! What came of a commit.

use std::sync::Arc;

use super::{OutboxRow, Totals};

/// What a commit made durable.
#[derive(Clone, Debug, Default)]
pub struct Durable {
    /// What became of each entry, in their order.
    pub verdicts: Vec<Verdict>,
    /// What is to be published, with its position, in commit order.
    pub sent: Vec<Arc<OutboxRow>>,
    /// When the first of the timers is due that this commit has made, milliseconds since 1970.
    pub due_ms: Option<u64>,
    /// How much the store keeps after it.
    pub totals: Totals,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is durable.
    Applied,
    /// The source has sent that number, or the message under that id: it took effect before.
    Already,
    /// An intake number below the source's highest one that it has not sent: it takes no effect.
    Skipped,
    /// Another message was sent under that id: nothing of this one took effect.
    Differs,
    /// There are as many intake sources, or ids, as there may be: nothing of it took effect.
    Full,
    /// Nothing of it took effect: a state has another version than it read, or an entry before it
    /// in its lane's run was refused.
    Conflict,
    /// Nothing of it took effect: its position and handler are not pending (any more), or, for a
    /// duplicate, its position is not settled.
    NotPending,
}
