//! How a service is doing: ready or why not, what it keeps, and what it has done.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::dead_letters::{Hold, WaitsFor};
use crate::stream::Key;

mod look;
mod waits;

pub use waits::{BlockedThread, IntakeWait, LayerWait, RoomIn};

/// Whether a service takes messages in and handles them now.
///
/// ```
/// use framework::status::{Readiness, Reason};
/// assert!(Readiness::default().is_ready());
/// let not = Readiness { reasons: vec![Reason::Stopping], ..Default::default() };
/// assert_eq!(not.to_string(), "not ready: it was told to stop, and finishes what it has begun");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Why not; ready if there are none.
    pub reasons: Vec<Reason>,
    /// Whom the embedded broker waits for, from 80 % of its disk limit on: consumers, how far each
    /// is behind, and whether it runs. At the limit sends wait.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broker_waits_for: Vec<String>,
}

/// Why a service is not ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// Messages ran when its process died, and run alone now before anything else does.
    Probation {
        /// How many are left.
        left: u64,
    },
    /// So many deliveries are kept that nothing more is fetched.
    HoldsFull,
    /// So many records are no message that nothing more is fetched.
    InvalidFull,
    /// So many messages of types that no handler takes are stored that nothing more is fetched.
    UnhandledFull,
    /// So many messages wait for their time that none is handled or taken in.
    TimersFull,
    /// So many messages wait for the broker that none is handled or taken in.
    OutboxFull,
    /// Nothing more is taken of a stream: it has as many holes as one may have.
    StreamFull(FullStream),
    /// The broker has no room for what is to be published: it waits until there is some.
    BrokerFull,
    /// The store has no room.
    NoRoom,
    /// It was told to stop.
    Stopping,
    /// It does not run.
    Ended,
}

impl Readiness {
    /// Whether it is ready.
    pub fn is_ready(&self) -> bool {
        self.reasons.is_empty()
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "not ready: ";
        for reason in &self.reasons {
            write!(f, "{before}{reason}")?;
            before = "; ";
        }
        if self.is_ready() {
            f.write_str("ready")?;
        }
        if self.broker_waits_for.is_empty() {
            return Ok(());
        }
        write!(
            f,
            "; the broker's disk is nearly full and waits for {}: start them, have it forget them \
             (endwise consumers forget), or raise disk_bytes_max",
            self.broker_waits_for.join(", ")
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Probation { left: 1 } => f.write_str(
                "a message that ran when its process died runs alone first, to find whether it \
                 killed it",
            ),
            Reason::Probation { left } => write!(
                f,
                "{left} messages that ran when its process died run alone first, so that the one \
                 that kills it is found"
            ),
            Reason::HoldsFull => f.write_str(
                "so much is kept that nothing more is fetched: replay or discard dead letters",
            ),
            Reason::InvalidFull => f.write_str(
                "so many records are no message that nothing more is fetched: discard them",
            ),
            Reason::UnhandledFull => f.write_str(
                "so many messages of types that no handler takes are stored that nothing more is \
                 fetched: add a handler of the type, say App::ignore_types, or discard them",
            ),
            Reason::TimersFull => {
                f.write_str("so many messages wait for their time that none is taken in or handled")
            }
            Reason::OutboxFull => f.write_str("the broker does not take its messages fast enough"),
            Reason::StreamFull(FullStream { stream, holes, waiting }) => write!(
                f,
                "nothing more is taken of stream {stream}: {holes} runs of its messages never \
                 came, and {waiting} messages and all behind them wait; find out why, or take them \
                 for lost (endwise streams accept-lost)"
            ),
            Reason::BrokerFull => f.write_str(
                "the broker has no room for what it sends: let the services run that it waits \
                 for, raise its disk limit, or make room on its disk",
            ),
            Reason::NoRoom => f.write_str("its store has no room: make some on its disk"),
            Reason::Stopping => f.write_str("it was told to stop, and finishes what it has begun"),
            Reason::Ended => f.write_str("it does not run"),
        }
    }
}

/// How a service is doing, at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Status {
    /// The service's name.
    pub service: Arc<str>,
    /// When this was looked up, milliseconds since 1970.
    pub at_ms: u64,
    /// Whether it takes messages in and handles them now.
    pub ready: bool,
    /// Why not.
    pub reasons: Vec<Reason>,
    /// Whom the embedded broker waits for, from 80 % of its disk limit on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broker_waits_for: Vec<String>,
    /// What its store keeps.
    pub kept: KeptStatus,
    /// Messages that wait for their time.
    pub timers: TimerStatus,
    /// Messages that have their position and are not confirmed by the broker.
    pub outbox: u64,
    /// What is known of it only while it runs.
    pub running: Option<RunningStatus>,
}

/// What a store keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeptStatus {
    /// Deliveries that are held behind another.
    pub held: u64,
    /// Deliveries that wait for their next attempt.
    pub waiting: u64,
    /// Dead letters.
    pub dead: u64,
    /// Bytes of headers and bodies of all of these.
    pub bytes: u64,
    /// Since when the oldest of those that are held waits, milliseconds since 1970.
    pub oldest_held_ms: Option<u64>,
    /// Dead letters, handler by handler.
    pub dead_by_handler: BTreeMap<Arc<str>, u64>,
    /// Of those that are held, how many nothing holds up any more: they are worked off, in order,
    /// or will be when the service runs.
    #[serde(default)]
    pub released: u64,
    /// What closes a lane, and how many it holds up: the first 20, those that hold up most first.
    pub closed: Vec<Closed>,
    /// Records that are no message.
    pub invalid: u64,
    /// Messages that no handler takes.
    #[serde(default)]
    pub unhandled: u64,
    /// The same, by topic and type: `TOPIC/TYPE`.
    #[serde(default)]
    pub unhandled_by_type: BTreeMap<String, u64>,
}

/// A delivery that closes its lane, with others held behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Closed {
    /// Its handler.
    pub handler: Arc<str>,
    /// Its key.
    pub key: Option<Key>,
    /// What those behind it wait for.
    pub waits_for: WaitsFor,
    /// How many are held behind it.
    pub held: u64,
    /// Since when the first of them waits, milliseconds since 1970.
    pub since_ms: u64,
}

/// Messages that wait for their time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TimerStatus {
    /// How many.
    pub count: u64,
    /// When the first is due, milliseconds since 1970.
    pub next_due_ms: Option<u64>,
}

/// What is known of a service only while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunningStatus {
    /// Records that were fetched and are not committed.
    pub in_flight: u64,
    /// Their bytes.
    pub in_flight_bytes: u64,
    /// The most records in flight since the start.
    pub in_flight_most: u64,
    /// The most bytes in flight since the start.
    pub in_flight_bytes_most: u64,
    /// The most messages at a time that were committed and not confirmed by the broker, since the
    /// start.
    pub outbox_most: u64,
    /// Records that came from the broker since the start.
    pub fetched: u64,
    /// Of these, further copies of a message.
    pub duplicates: u64,
    /// Messages that were taken in from outside since the start.
    pub accepted: u64,
    /// Deliveries that were held behind another since the start.
    pub held: u64,
    /// What each handler has done since the start.
    pub handlers: BTreeMap<Arc<str>, HandlerStatus>,
    /// Records that wait at the broker, where it tells.
    pub lag: Option<u64>,
    /// What messages from outside wait for, if some do. The service may be ready: one that has no
    /// room for what comes from outside handles what is there.
    #[serde(default)]
    pub intake: Option<IntakeWait>,
    /// Deliveries that wait in a layer, for a permit or their turn, if some do.
    #[serde(default)]
    pub in_layers: Option<LayerWait>,
    /// Handlers that hold their thread for longer than 5 seconds. All others go on, on the threads
    /// that are left.
    #[serde(default)]
    pub blocked: Vec<BlockedThread>,
    /// Records that the broker had lost before they were handled, since the start.
    #[serde(default)]
    pub lost: u64,
    /// Records of a known position with another content, since the start: they are on the list of
    /// the records that are no message.
    #[serde(default)]
    pub mismatched: u64,
    /// Streams of which nothing more is taken.
    #[serde(default)]
    pub full_streams: Vec<FullStream>,
}

/// A stream that has as many holes as one may have: nothing more of it is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FullStream {
    /// The stream, as text: `SERVICE/STORE/EPOCH/TOPIC/SLOT`.
    pub stream: Arc<str>,
    /// Its holes: runs of sequences that never came.
    pub holes: u64,
    /// Its messages that were fetched and wait.
    pub waiting: u64,
}

/// What a handler has done since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HandlerStatus {
    /// Effects that became durable.
    pub handled: u64,
    /// Attempts that failed and were, or are to be, made again.
    pub retried: u64,
    /// Deliveries that became dead letters.
    pub dead: u64,
}

/// Which delivery it is that a hold waits for.
fn closed_by(hold: &Hold) -> Option<u64> {
    match hold.waits_for {
        WaitsFor::DeadLetter { number, .. } | WaitsFor::Retry { number, .. } => Some(number),
        WaitsFor::Attempt { .. } | WaitsFor::Turn => None,
    }
}
