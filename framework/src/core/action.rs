//! Actions: effects that drivers carry out. They decide nothing.

use super::event::Load;
use super::ledger::Committed;
use super::requests::Reply;
use crate::ids::{DeliveryId, FrameNo, HandlerIx, LoadId, Position, RecordRef, Ticket};
use crate::table::RowError;

/// Something to be carried out.
#[derive(Debug)]
pub(crate) enum Action {
    /// Commit the sealed frame again.
    CommitAgain(FrameNo),
    /// Find out whether the sealed frame is durable.
    Resolve(FrameNo),
    /// Drop the core, and open it again from what is durable, if the shard is still ours.
    Rebuild,
    /// Tell the broker that these partitions are done so far.
    Settle(Vec<Committed>),
    /// Read rows.
    Load(Vec<(LoadId, Load)>),
    /// Answer a request.
    Reply(Ticket, Reply),
    /// Stop: what the store has is damaged.
    Damaged(RowError),
    /// Tell people.
    Note(Note),
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// An attempt failed. Without a wait the message is a dead letter.
    Failed { handler: HandlerIx, position: Position, errors: Vec<String>, again_in_ms: Option<u64> },
    /// A known position came with another message: its record stays open.
    Mismatch { position: Position, record: RecordRef },
    /// No handler takes a message: its record stays open.
    NoHandler { position: Position, record: RecordRef },
    /// A key goes on without a dead letter.
    Skipped { delivery: DeliveryId },
}
