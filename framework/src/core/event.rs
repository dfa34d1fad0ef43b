//! Events: all that comes to the core.

use std::sync::Arc;

use super::message::Packed;
use super::requests::Request;
use crate::ids::{DeliveryId, FrameNo, HandlerIx, LoadId, PartitionIx, RouteIx, RunId, Ticket};
use crate::table::message::Context;
use crate::table::{RowError, Table, check_version};

/// The time of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Now {
    /// Milliseconds by a clock that only goes forward. All waits go by it.
    pub(crate) mono_ms: u64,
    /// Milliseconds since 1970, for what is stored.
    pub(crate) wall_ms: u64,
}

/// Something that has happened. A driver drops events of an earlier life of the shard.
#[derive(Debug)]
pub(crate) enum Event {
    /// Records of one partition, in the order of their offsets.
    Records(Records),
    /// Calls that can go on.
    Woken(Vec<RunId>),
    /// A handler that was not ready can be called.
    HandlerReady(HandlerIx),
    /// Rows that were asked for.
    Loaded(Vec<(LoadId, Option<StoredRow>)>),
    /// The end of a commit.
    Committed(FrameNo, CommitEnd),
    /// An operator asks.
    Request(Ticket, Request),
    /// Nothing but time has passed, or the rest of a turn is to be done.
    Go,
}

/// The end of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitEnd {
    /// All of it is durable.
    Durable,
    /// Nothing of it was written, for want of room.
    NoRoom,
    /// Durable or not: that cannot be told yet.
    Unknown,
    /// Not durable, and never will be unless it is committed again.
    Absent,
    /// Somebody else owns the shard.
    Fenced,
}

/// Records of one partition.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) partition: PartitionIx,
    pub(crate) names: Arc<Names>,
    pub(crate) records: Vec<Incoming>,
}

/// Streams by the numbers that records say, as long as `no` stays the same.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The number of this dictionary; 0 is none's.
    pub(crate) no: u64,
    pub(crate) streams: Vec<StreamNameBuf>,
}

/// A stream's name that owns its texts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StreamNameBuf {
    Endwise { service: Box<str>, store: u64, epoch: u32, writer: u32, topic: Box<str> },
    Foreign { cluster: Box<str>, topic: Box<str>, incarnation: u64, partition: u32 },
}

/// A record that is a message, decoded and checked against its digest.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) offset: u64,
    /// The stream's number in the dictionary.
    pub(crate) stream: u32,
    pub(crate) slot: u8,
    pub(crate) sequence: u64,
    pub(crate) context: Context,
    /// The time of its sender's commit, milliseconds since 1970.
    pub(crate) time_ms: u64,
    pub(crate) digest: u128,
    pub(crate) route: Option<RouteIx>,
    pub(crate) message: Packed,
}

/// A row as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredRow {
    pub(crate) version: u8,
    pub(crate) bytes: bytes::Bytes,
}

impl StoredRow {
    /// Reads a row of that table, of a version that is known.
    pub(crate) fn read<T: Table>(&self) -> Result<T::Row<'_>, RowError> {
        check_version::<T>(self.version)?;
        T::read_row(self.version, &self.bytes)
    }
}

/// A row that the core asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// The state of that name and key.
    State(crate::ids::NameNo, Box<str>),
    /// The message of a stored delivery.
    Message(DeliveryId),
}
