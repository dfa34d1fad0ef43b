//! Limits: how much of each thing a service has at most.

use std::time::Duration;

mod messages;

pub(crate) use messages::MessageLimits;

const MIB: usize = 1 << 20;

/// The limits of a service, each with what happens when it is reached; `[limits]` in the
/// [configuration](crate::Config). Those of the embedded store and broker are options of theirs:
/// [`SledOptions`](crate::store::sled::SledOptions),
/// [`EmbeddedOptions`](crate::broker::embedded::EmbeddedOptions).
///
/// ```
/// let limits = framework::Limits { in_flight_max: 1_000, ..Default::default() };
/// assert_eq!(limits.payload_bytes_max, 1 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Records that were fetched and are not committed (default 4,096). At the limit nothing more
    /// is fetched; the last fetch may pass it.
    pub in_flight_max: usize,
    /// Their bytes (default 32 MiB). At the limit nothing more is fetched; the last fetch may pass
    /// it.
    pub in_flight_bytes_max: usize,
    /// Records of one fetch (default 1,024). The next fetch takes the rest.
    pub fetch_max: usize,
    /// Their bytes (default 4 MiB). The next fetch takes the rest; a single record may pass it.
    pub fetch_bytes_max: usize,
    /// Lanes, that is keys of a component, that run side by side (default 4,096). At the limit the
    /// others wait for their turn.
    pub lanes_max: usize,
    /// Lanes that one task runs (default 128). The next task takes the rest.
    pub task_lanes_max: usize,
    /// Deliveries that wait in memory behind one that failed (default 8). Those beyond it are held
    /// in the store, so that one failing key does not fill what may be in flight.
    pub followers_max: usize,
    /// Deliveries that the store keeps: held, waiting for their next attempt, given up (default
    /// 100,000). At the limit nothing more is fetched, until an operator replays or discards dead
    /// letters, or what waits has been handled.
    pub holds_max: u64,
    /// Their bytes (default 256 MiB). At the limit nothing more is fetched, as above.
    pub holds_bytes_max: u64,
    /// How long a delivery may be held (default 24 hours). Then an alarm is raised: what waits for
    /// what is said in the log and in the service's state. It goes on waiting.
    pub holds_age_max: Duration,
    /// Records that are no message and are on the list of those (default 10,000). At the limit
    /// nothing more is fetched, until an operator replays or discards some.
    pub invalid_max: u64,
    /// Messages of a type that no handler takes, stored until one does (default 10,000). At the
    /// limit nothing more is fetched, until a handler of the type is added, the app is told to
    /// ignore it, or an operator discards some.
    pub unhandled_max: u64,
    /// Their bytes (default 64 MiB). At the limit nothing more is fetched, as above.
    pub unhandled_bytes_max: u64,
    /// Messages that wait for their time (default 10,000,000). At the limit nothing more is
    /// fetched, begun or taken in, until some of them are due.
    pub timers_max: u64,
    /// Messages that are committed and that the broker has not confirmed (default 16,384). At the
    /// limit nothing more is fetched, begun or taken in; what has begun by then goes beyond it by
    /// what its handlers send. They are in memory, and their bytes are not limited: where messages
    /// are large, set it lower.
    pub outbox_max: usize,
    /// Messages from outside that wait to be taken in (default 65,536). One more is refused with
    /// [`IntakeError::Busy`](crate::IntakeError::Busy); a stream of them waits instead.
    pub intake_max: usize,
    /// How long the id of a message that was sent with
    /// [`send_once`](crate::Producer::send_once) is remembered (default 24 hours). Sent again after
    /// that, it is a new message.
    pub ids_age_max: Duration,
    /// How many such ids are remembered (default 100,000; each takes some 200 bytes of memory). At
    /// the limit a message with a new one is refused with
    /// [`IntakeError::Ids`](crate::IntakeError::Ids), until the time of some is over.
    pub ids_max: u64,
    /// Bytes of a message's body (default 1 MiB, which is the most). Sending a larger one is an
    /// error; one that comes from elsewhere is an invalid message.
    pub payload_bytes_max: usize,
    /// Headers of a message's own (default 64). Sending more is an error; a message with more that
    /// comes from elsewhere is invalid.
    pub headers_max: usize,
    /// Their bytes, names and values (default 64 KiB, which is the most). Beyond it as above.
    pub headers_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            in_flight_max: 4_096,
            in_flight_bytes_max: 32 * MIB,
            fetch_max: 1_024,
            fetch_bytes_max: 4 * MIB,
            lanes_max: 4_096,
            task_lanes_max: 128,
            followers_max: 8,
            holds_max: 100_000,
            holds_bytes_max: 256 << 20,
            holds_age_max: Duration::from_secs(24 * 60 * 60),
            invalid_max: 10_000,
            unhandled_max: 10_000,
            unhandled_bytes_max: 64 << 20,
            timers_max: 10_000_000,
            outbox_max: 16_384,
            intake_max: 65_536,
            ids_age_max: Duration::from_secs(24 * 60 * 60),
            ids_max: 100_000,
            payload_bytes_max: MIB,
            headers_max: 64,
            headers_bytes_max: 64 << 10,
        }
    }
}

#[cfg(test)]
mod tests;
