//! All keys: what each sets, what it may be, and its line in the template.

use std::collections::BTreeMap;

use super::Config;
use super::error::{ConfigError, Place};
use super::secret::Secret;
use super::value::{Found, Span, Wrong, count, path, show_size, show_time, size, time, url};
use crate::outgoing::{BODY_BYTES_MAX, HEADERS_BYTES_MAX};

/// A key of the configuration.
pub(super) struct Key {
    /// Its table; empty for one at the top.
    pub(super) table: &'static str,
    pub(super) name: &'static str,
    /// What it is for, and what happens at the limit.
    pub(super) about: &'static str,
    pub(super) set: fn(&mut Config, Found<'_>) -> Result<(), Wrong>,
    /// Its value as it would be written, without quotes.
    pub(super) show: fn(&Config) -> String,
}

impl Key {
    /// With its table.
    pub(super) fn full(&self) -> String {
        if self.table.is_empty() {
            self.name.into()
        } else {
            format!("[{}] {}", self.table, self.name)
        }
    }

    /// A value of it as it may be shown: of a URL, which may hold a password, the scheme.
    pub(super) fn seen(&self, found: Found<'_>, written: impl FnOnce() -> String) -> String {
        match found.text() {
            Some(url) if self.name == "url" => format!("{:?}", Secret::new(url).scheme()),
            _ => written(),
        }
    }

    /// The environment variable that sets it.
    pub(super) fn variable(&self) -> String {
        let parts = ["ENDWISE", self.table, self.name].into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("_").to_uppercase()
    }
}

macro_rules! key {
    ($table:literal, $name:literal, count($min:expr, $max:expr), $($field:ident).+, $about:literal) => {
        key!(@ $table, $name, |found| count(found, Span($min, $max)), $($field).+,
            |value| value.to_string(), $about)
    };
    ($table:literal, $name:literal, size($min:expr, $max:expr), $($field:ident).+, $about:literal) => {
        key!(@ $table, $name, |found| size(found, Span($min, $max)), $($field).+,
            |value| show_size(*value), $about)
    };
    ($table:literal, $name:literal, time($min:expr, $max:expr), $($field:ident).+, $about:literal) => {
        key!(@ $table, $name, |found| time(found, Span($min, $max)), $($field).+,
            |value| show_time(*value), $about)
    };
    ($table:literal, $name:literal, path, $($field:ident).+, $about:literal) => {
        key!(@ $table, $name, |found| path(found), $($field).+,
            |value| value.display().to_string(), $about)
    };
    ($table:literal, $name:literal, url, $($field:ident).+, $about:literal) => {
        key!(@ $table, $name, |found| url(found), $($field).+,
            |value| value.scheme().to_owned(), $about)
    };
    (@ $table:literal, $name:literal, |$found:ident| $read:expr, $($field:ident).+,
        |$value:ident| $show:expr, $about:literal) => {
        Key {
            table: $table,
            name: $name,
            about: $about,
            set: |config, $found| {
                config.$($field).+ = $read?;
                Ok(())
            },
            show: |config| {
                let $value = &config.$($field).+;
                $show
            },
        }
    };
}

const DAY_MS: u64 = 86_400_000;
const YEAR_MS: u64 = 365 * DAY_MS;

/// What a queue between two stages can take, with room for what one record makes of others.
const FLOW_MAX: u64 = 1 << 16;

/// The keys in the order of the template; those of a table together.
#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key!("", "data", path, data,
        "where the data are: DIR/broker, DIR/<service>"),

    key!("service", "drain", time(0, DAY_MS), drain,
        "how long a stop waits for what is in progress; the rest is handled after the next start"),

    key!("limits", "in_flight_max", count(1, FLOW_MAX), limits.in_flight_max,
        "records fetched and not committed; then nothing more is fetched"),
    key!("limits", "in_flight_bytes_max", size(1, 1 << 40), limits.in_flight_bytes_max,
        "their bytes"),
    key!("limits", "fetch_max", count(1, FLOW_MAX), limits.fetch_max,
        "records of one fetch"),
    key!("limits", "fetch_bytes_max", size(1, 1 << 30), limits.fetch_bytes_max,
        "their bytes, unless a single one has more"),
    key!("limits", "lanes_max", count(1, FLOW_MAX), limits.lanes_max,
        "keys that are handled side by side; the others wait for their turn"),
    key!("limits", "task_lanes_max", count(1, FLOW_MAX), limits.task_lanes_max,
        "of these, how many one task handles"),
    key!("limits", "followers_max", count(0, FLOW_MAX), limits.followers_max,
        "deliveries that wait in memory behind a failed one; more of them wait in the store"),
    key!("limits", "holds_max", count(1, 1 << 32), limits.holds_max,
        "deliveries kept in the store: held, retried, dead; then nothing more is fetched"),
    key!("limits", "holds_bytes_max", size(1, 1 << 40), limits.holds_bytes_max,
        "their bytes"),
    key!("limits", "holds_age_max", time(1_000, YEAR_MS), limits.holds_age_max,
        "how long one may be held before an alarm is raised"),
    key!("limits", "invalid_max", count(1, 1 << 32), limits.invalid_max,
        "records that are no message, kept for a look; then nothing more is fetched"),
    key!("limits", "unhandled_max", count(1, 1 << 32), limits.unhandled_max,
        "messages of a type that no handler takes, kept; then nothing more is fetched"),
    key!("limits", "unhandled_bytes_max", size(1, 1 << 40), limits.unhandled_bytes_max,
        "their bytes"),
    key!("limits", "timers_max", count(1, 1 << 32), limits.timers_max,
        "messages that wait for their time; then nothing more is fetched, begun or taken in"),
    key!("limits", "outbox_max", count(1, 1 << 19), limits.outbox_max,
        "messages not confirmed by the broker; then nothing more is fetched, begun or taken in"),
    key!("limits", "intake_max", count(1, 1 << 19), limits.intake_max,
        "messages from outside that wait to be taken in; one more is refused"),
    key!("limits", "ids_age_max", time(1, YEAR_MS), limits.ids_age_max,
        "how long the id of a message that was sent once is remembered"),
    key!("limits", "ids_max", count(1, 10_000_000), limits.ids_max,
        "ids that are remembered, some 200 bytes of memory each; a new one more is refused"),
    key!("limits", "payload_bytes_max", size(1, BODY_BYTES_MAX as u64), limits.payload_bytes_max,
        "a message's body; a larger one is not sent, or invalid when it comes"),
    key!("limits", "headers_max", count(0, 10_000), limits.headers_max,
        "headers of a message's own; more are not sent, or invalid"),
    key!("limits", "headers_bytes_max", size(0, HEADERS_BYTES_MAX as u64), limits.headers_bytes_max,
        "their bytes, names and values"),

    key!("failure", "retry_attempts", count(1, 1_000_000), failure.retry_attempts,
        "attempts in all; then the message is a dead letter"),
    key!("failure", "retry_min", time(1, YEAR_MS), failure.retry_min,
        "the shortest wait between two attempts; it doubles"),
    key!("failure", "retry_max", time(1, YEAR_MS), failure.retry_max,
        "the longest"),
    key!("failure", "timeout", time(1, YEAR_MS), failure.timeout,
        "how long an attempt may take; then it has failed"),
    key!("failure", "crashes", count(1, 1_000), failure.crashes,
        "deaths of the process, while it ran alone, that make a message a dead letter"),

    key!("store", "url", url, store.url,
        "which store; this build has: embedded"),
    key!("store", "segment_bytes", size(1 << 16, 1 << 40), store.embedded.segment_bytes,
        "size of a journal's segment; a full one begins a checkpoint"),
    key!("store", "journal_segments_max", count(1, 1 << 16), store.embedded.journal_segments_max,
        "segments that wait for a checkpoint; then commits wait for it"),
    key!("store", "cache_bytes_max", size(1 << 16, 1 << 40), store.embedded.cache_bytes_max,
        "bytes of the checkpointed table that are kept in memory"),

    key!("broker", "url", url, broker.url,
        "which broker; this build has: embedded"),
    key!("broker", "partitions", count(1, 256), broker.embedded.partitions,
        "partitions of a topic that is made from now on"),
    key!("broker", "segment_bytes", size(1 << 14, 1 << 40), broker.embedded.segment_bytes,
        "size of a segment; what is settled leaves the disk in steps of it"),
    key!("broker", "disk_bytes_max", size(1 << 15, 1 << 60), broker.embedded.disk_bytes_max,
        "bytes on disk, two segments at least; then intake waits"),
    key!("broker", "reserve_bytes", size(0, 1 << 60), broker.embedded.reserve_bytes,
        "bytes beyond that for what handlers send; then publishing fails"),
    key!("broker", "unregistered_bytes_max", size(0, 1 << 60), broker.embedded.unregistered_bytes_max,
        "bytes kept of a topic that nobody reads; then the oldest records go"),
    key!("broker", "cache_bytes_max", size(0, 1 << 40), broker.embedded.cache_bytes_max,
        "bytes of the newest records kept in memory"),
];

/// The tables in their order, the top as an empty name.
pub(super) fn tables() -> impl Iterator<Item = &'static str> {
    KEYS.chunk_by(|one, next| one.table == next.table).filter_map(|keys| Some(keys.first()?.table))
}

/// The keys of a table.
pub(super) fn of(table: &str) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.table == table)
}

/// The name that is most like another one, if any is.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let with_distance = known.map(|one| (strsim::damerau_levenshtein(name, one), one));
    let (distance, nearest) = with_distance.min_by_key(|(distance, _)| *distance)?;
    (distance <= nearest.len().max(3) / 3).then_some(nearest)
}

/// Where keys are set, by their names with their tables.
pub(super) type Places = BTreeMap<String, Place>;

/// Holds those values against each other that have to go together.
pub(super) fn check_pairs(config: &Config, places: &Places) -> Result<(), ConfigError> {
    let [min, max] = ["[failure] retry_min", "[failure] retry_max"];
    let (min_is, max_is) = (config.failure.retry_min, config.failure.retry_max);
    if min_is <= max_is {
        return Ok(());
    }
    let (min_is, max_is) = (show_time(min_is), show_time(max_is));
    let (place, problem) = match (places.get(min), places.get(max)) {
        (Some(place), None) => (
            place.clone(),
            format!("{min} {min_is:?} is longer than retry_max {max_is:?} (its default): set both"),
        ),
        (None, Some(place)) => (
            place.clone(),
            format!(
                "{max} {max_is:?} is shorter than retry_min {min_is:?} (its default): set both"
            ),
        ),
        (place, _) => (
            place.cloned().unwrap_or(Place::Program),
            format!("{min} {min_is:?} is longer than retry_max {max_is:?}: make it shorter"),
        ),
    };
    Err(ConfigError::Pair { place, problem })
}

/// Holds a configuration that a program made against what each key allows.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let mut scratch = config.clone();
    for key in KEYS {
        let shown = (key.show)(config);
        (key.set)(&mut scratch, Found::Text(shown.as_ref())).map_err(|Wrong(allowed)| {
            ConfigError::Value { place: Place::Program, key: key.full(), found: shown, allowed }
        })?;
    }
    check_pairs(config, &Places::new())
}
