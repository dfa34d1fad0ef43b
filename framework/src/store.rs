//! What the framework asks of a store: one atomic commit of everything that a group of outcomes
//! changes, and reading it back.
//!
//! A store is typed: it knows states, positions, cursors and the outbox, not bytes under keys.
//! Positions are given *inside* the commit, so that they are dense and in commit order.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::committed::RecordRef;
use crate::delivery::StateValue;
use crate::envelope::{Context, Envelope, Headers};
use crate::outcome::{Cancel, Send as Message};
use crate::stream::{Key, PartitionId, Position, Ranges, StreamId};

pub mod memory;
pub mod sled;

mod catalog;
mod change;
mod error;
mod form;
mod ids;
mod inbox;
mod invalid;
mod kept;
mod kept_table;
mod layers;
pub(crate) mod limits;
mod names;
mod outbox;
mod page;
mod read;
mod reader;
mod scan;
mod schedule;
mod shared_reader;
mod sources;
mod states;
mod tables;
mod timers;
mod touch;
mod verdict;

pub use catalog::{Catalog, Found, RenamedType, Renames};
pub use error::{CommitError, StoreError};
pub use ids::Once;
pub(crate) use kept::UNHANDLED_NUMBERS;
pub use kept::{
    Claim, Failure, How, InvalidMessage, Keep, Kept, KeptMessage, Timer, TimerId, Totals,
    Unhandled, Wait,
};
pub use limits::LimitError;
pub(crate) use limits::{ID_BYTES_MAX, SOURCES_MAX};
pub use read::Reader;
pub use schedule::Scheduled;
pub(crate) use shared_reader::SharedReader;
pub use touch::{StateSet, StateTouch};
pub use verdict::{Durable, Verdict};

/// Everything that becomes durable together, or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// This commit's number, never used twice by one opening: what an unknown commit is asked by.
    pub id: u64,
    /// Milliseconds since 1970 of this commit.
    pub time_ms: u64,
    /// The same moment by a clock that only goes forward, in milliseconds. It may begin anew with
    /// each opening; what has been confirmed for long enough is known by it, and how long an id that
    /// was sent in this opening is remembered.
    pub steady_ms: u64,
    /// The outcomes, in the order in which they take effect.
    pub entries: Vec<Entry>,
    /// Streams of the outbox and the sequence through which the broker has confirmed them.
    pub confirmed: Vec<(Arc<StreamId>, u64)>,
    /// Streams that others send, and the latest commit time among the messages of this batch.
    pub times: Vec<(Arc<StreamId>, u64)>,
}

/// One outcome in a batch.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The lane's run that it belongs to: once one entry of a run is refused, those behind it are.
    pub run: Option<u64>,
    /// What the entry settles.
    pub subject: Subject,
    /// The states that were read, and what became of them.
    pub states: Vec<StateTouch>,
    /// What waits for its time and is not to be sent any more. These take effect before the sends.
    pub cancels: Vec<Cancel>,
    /// What is sent, now or at its time. One that waits under a name replaces what waits under it.
    pub sends: Vec<Message>,
    /// The records that are done with this entry.
    pub done: Vec<RecordRef>,
}

impl Entry {
    /// An entry that is about nothing but its subject, and these records.
    pub(crate) fn of(subject: Subject, done: Vec<RecordRef>) -> Self {
        let (states, cancels, sends) = (Vec::new(), Vec::new(), Vec::new());
        Entry { run: None, subject, states, cancels, sends, done }
    }
}

/// What an entry settles.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A handler has handled a position.
    Handled {
        /// The position.
        position: Position,
        /// The sender's floor that the message carried.
        floor: u64,
        /// The handler.
        handler: Arc<str>,
        /// All handlers that this position has here; fixed by the first commit that names it.
        handlers: Arc<[Arc<str>]>,
        /// The number under which it was kept, if it was: it is kept no more.
        kept: Option<u64>,
    },
    /// A delivery that is kept from here on, or waits for something else from here on. A position
    /// counts as taken, for dedup, once all handlers that are still to do have it kept.
    Kept(Box<Keep>),
    /// A kept delivery is given up: it is kept no more. Refused (`NotPending`) if it is not kept.
    Discarded {
        /// Its number.
        number: u64,
    },
    /// A timer is due: its message gets its position now. Refused (`NotPending`) if it is gone.
    Released {
        /// Which.
        timer: TimerId,
    },
    /// A record that is no message is put on the list of those.
    Invalid(Box<InvalidMessage>),
    /// The same, with the position that its sender gave it: that is settled. Refused (`NotPending`)
    /// if it was before, or some of its handlers have begun.
    InvalidOf {
        /// The record.
        message: Box<InvalidMessage>,
        /// The position.
        position: Position,
        /// The sender's floor that the message carried.
        floor: u64,
    },
    /// The record of that number is taken off the list of those that are no message.
    InvalidDiscarded {
        /// Its number.
        number: u64,
    },
    /// A state has this value from here on. Refused (`Conflict`) if it has another version than is
    /// expected, and (`NotPending`) if it is to go and is not there.
    StateSet(Box<StateSet>),
    /// What waits for its time is not to be sent. Refused (`NotPending`) if it is gone.
    TimerCancelled {
        /// Its number.
        number: u64,
    },
    /// A record on the list of those that are no message is decoded now: it leaves the list, and its
    /// message is kept for each handler that takes it, or until one does ([`Wait::Unhandled`]);
    /// without any its position is settled. Refused (`NotPending`) if it is not listed (any more), or
    /// one of these cannot be kept.
    InvalidTaken {
        /// Its number on the list.
        number: u64,
        /// The position of the message in it.
        position: Position,
        /// Whether that was settled with it: it refuses nothing then. The offset of a foreign one
        /// always was.
        was_settled: bool,
        /// The sender's floor that the message carries.
        floor: u64,
        /// What is kept of it from here on, numbers rising; each has the message.
        keeps: Vec<Keep>,
    },
    /// A message that was stored because no handler took it ([`Wait::Unhandled`]) is taken by these
    /// handlers from here on: it is kept for each of them, in its place. Refused (`NotPending`) if
    /// it is not stored (any more), or there are more handlers than it has numbers.
    Taken {
        /// Its number.
        number: u64,
        /// The key that its type gives it.
        key: Option<Key>,
        /// The handlers, in their order.
        handlers: Arc<[Arc<str>]>,
        /// The message, where several handlers take it.
        message: Option<Arc<Envelope>>,
    },
    /// A message that no handler takes is given up. Refused (`NotPending`) if it is not stored.
    UnhandledDiscarded {
        /// Its number.
        number: u64,
    },
    /// A position that is settled here without a handler.
    NotMine {
        /// The position.
        position: Position,
        /// The sender's floor that the message carried.
        floor: u64,
    },
    /// A further copy of a position that is settled, or will be by an entry before this one.
    Duplicate {
        /// The position.
        position: Position,
    },
    /// Offsets of a partition that hold nothing for this service: they were gone before it first
    /// read the partition, or are lost.
    Passed {
        /// The partition.
        partition: Arc<PartitionId>,
        /// The first offset.
        first: u64,
        /// The last.
        last: u64,
    },
    /// A schedule is sent, or begins: this is what is known of it from here on.
    Scheduled(Scheduled),
    /// The app has no schedule of that name any more.
    ScheduleGone {
        /// The name.
        name: Arc<str>,
    },
    /// Sequences of a stream that never came, and are taken for lost: runs, first and last each.
    HolesPassed {
        /// The stream.
        stream: Arc<StreamId>,
        /// The runs.
        runs: Vec<(u64, u64)>,
    },
    /// A message from outside: from this source and with this number, if it has one.
    Intake {
        /// Source and number.
        from: Option<(Arc<str>, u64)>,
    },
    /// A message from outside that is sent once under an id.
    Once(Box<Once>),
    /// An intake source is forgotten, and which numbers it has sent. Refused (`NotPending`) if
    /// there is none of that name.
    SourceRetired {
        /// Its name.
        source: Arc<str>,
    },
}

/// A message with its position, kept until its duty has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// The stream.
    pub stream: Arc<StreamId>,
    /// Its place there.
    pub sequence: u64,
    /// The name of its type.
    pub type_name: Arc<str>,
    /// Its key.
    pub key: Option<Key>,
    /// What must come before it.
    pub context: Context,
    /// What it was sent for.
    pub cause: Option<Cause>,
    /// Milliseconds since 1970 of its commit.
    pub time_ms: u64,
    /// The user's headers.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

/// The handling that sent a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What was handled.
    pub position: Position,
    /// By which handler.
    pub handler: Arc<str>,
    /// Which of the messages that it sent this is; the first is 0.
    pub index: u32,
}

/// A state as the store holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredState {
    /// How often it was written since it was made; 0: there is none. Made anew, it is at 1 again.
    pub version: u64,
    /// Its value.
    pub value: Option<StateValue>,
}

/// What a store held when the app was taken in.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// The store's random id.
    pub store: u64,
    /// Raised when the store was put back from an older copy and is used on.
    pub epoch: u32,
    /// The last sequence that this store has given out, stream by stream.
    pub sent: Vec<(Arc<StreamId>, u64)>,
    /// What the service has settled of each stream.
    pub inbox: Vec<(Arc<StreamId>, Ranges)>,
    /// The latest commit time among the settled messages of each stream, milliseconds since 1970.
    pub times: Vec<(Arc<StreamId>, u64)>,
    /// Positions of which some handlers are done or kept, with those that are neither.
    pub pending: Vec<(Position, Vec<Arc<str>>)>,
    /// The offsets that are done in each partition.
    pub cursors: Vec<(Arc<PartitionId>, Ranges)>,
    /// What was not confirmed by the broker, each stream's in order.
    pub outbox: Vec<Arc<OutboxRow>>,
    /// What is kept, in the order of its numbers.
    pub kept: Vec<Kept>,
    /// The number of the next delivery that is kept.
    pub kept_next: u64,
    /// How much the store keeps.
    pub totals: Totals,
}

/// A store that is open, and what it held.
pub struct Opened {
    /// The store.
    pub store: Box<dyn Store>,
    /// Reads what is durable.
    pub reader: Arc<dyn Reader>,
    /// The app that wrote it.
    pub found: Found,
    /// Where the service may keep files of its own beside the store, if it is on this machine.
    pub directory: Option<PathBuf>,
}

/// Opens a store. What `run_on` takes: a store belongs to one service at a time.
#[async_trait]
pub trait OpenStore: Send {
    /// Opens it for the service of that name, or makes it when there is none.
    async fn open(self: Box<Self>, service: Arc<str>) -> Result<Opened, StoreError>;
}

/// The writing side of a store. One committer owns it.
///
/// An implementer guarantees: a commit is atomic and durable when it returns; entries take effect
/// in order; a refused one has no effect at all; sequences of a stream are dense and never given
/// twice, across every crash. A batch above a limit is refused whole, before anything is written.
#[async_trait]
pub trait Store: Send + 'static {
    /// Carries out an app's renames and writes its names down, in a commit of its own; what the
    /// store holds for it. Called once, before the first commit.
    async fn adopt(&mut self, catalog: Catalog, renames: Renames) -> Result<Recovered, StoreError>;

    /// Makes a batch durable.
    async fn commit(&mut self, batch: &Batch) -> Result<Durable, CommitError>;

    /// What became of a commit that ended as [`CommitError::Unknown`]: `None` if it did not happen.
    async fn resolve(&mut self, id: u64) -> Result<Option<Durable>, CommitError>;

    /// Writes what is left to write, and ends. A store that is only dropped loses nothing.
    async fn close(self: Box<Self>) -> Result<(), StoreError>;
}
