//! Opening a directory: the index is rebuilt from the live segments.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::drops::Drops;
use super::error::EmbeddedError;
use super::frame::{self, Road, Run};
use super::options::EmbeddedOptions;
use super::publisher::RECORD_BYTES_MAX;
use super::shared::{Shared, State, Written};
use super::snapshot::Snapshot;
use super::topics::Partition;
use super::writer::Writer;
use crate::directory::{Directory, Patience};
use crate::journal::{Disk, FROM_FIRST_LIVE, Frame, Journal, JournalError, Options, Place};

/// First line of `FORMAT`. A new format gets a new number; old ones are never given away again.
const FORMAT: &str = "endwise embedded broker, format 2";

/// What each version of it begins with.
#[cfg(feature = "cli")]
const FORMAT_START: &str = "endwise embedded broker, format ";

/// Whether a directory has an embedded broker's data, of whatever version.
#[cfg(feature = "cli")]
pub(super) fn is_in(dir: &std::path::Path) -> std::io::Result<bool> {
    match std::fs::read_to_string(dir.join("FORMAT")) {
        Ok(text) => Ok(text.starts_with(FORMAT_START)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn store_id(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("store ")?, 16).ok()
}

/// Opens a directory, or makes one, and returns its writer, not yet running.
pub(super) fn open<D: Disk>(
    disk: D,
    dir: PathBuf,
    options: EmbeddedOptions,
    patience: Patience,
) -> Result<Writer<D>, EmbeddedError> {
    options.check()?;
    let mut directory = Directory::lock(dir, patience)?;
    let journal_options = |store| {
        let mut journal = Options::new(store, options.random("opening"));
        journal.segment_bytes = options.segment_bytes;
        journal.frame_bytes_max = 2 * RECORD_BYTES_MAX;
        journal
    };
    let path = directory.path().join("journal");
    let store = match directory.format(FORMAT)? {
        Some(text) => store_id(&text)
            .ok_or_else(|| EmbeddedError::Identity { dir: directory.path().to_owned() })?,
        None => {
            let store = options.random("store");
            Journal::create(disk.clone(), &path, journal_options(store))?;
            directory.write_format(FORMAT, &format!("store {store:016x}"))?;
            store
        }
    };
    let mut replay = Replay::default();
    let journal = Journal::open(disk, &path, journal_options(store), FROM_FIRST_LIVE, |frame| {
        let sequence = frame.sequence;
        replay.take(frame).map_err(|error| JournalError::refused(sequence, error))
    })?;
    let snapshot_segment = replay.snapshot.as_ref().map_or(0, |&(_, segment)| segment);
    let (state, next) = replay.finish()?;
    let registry = state.registry;
    let consumers = state.registrations.rows(&state.topics);
    let shared = Arc::new(Shared::new(state, options, Box::new(journal.reader())));
    Ok(Writer {
        journal,
        shared,
        next,
        registry,
        snapshot_segment,
        durable_snapshot_segment: snapshot_segment,
        head_groups: 0,
        drops: Drops::default(),
        pressure: super::pressure::Pressure::default(),
        consumers,
        directory,
    })
}

/// What the live segments say, in order.
#[derive(Default)]
struct Replay {
    /// The newest snapshot and its segment. The frames before it may name topics that only it
    /// explains, so nothing is put together before the end.
    snapshot: Option<(Snapshot, u64)>,
    frames: Vec<(Place, u64, Vec<Run>)>,
}

impl Replay {
    fn take(&mut self, frame: Frame<'_>) -> Result<(), EmbeddedError> {
        let (time_ms, runs) = match Snapshot::decode(frame.payload)? {
            Some(snapshot) => {
                self.snapshot = Some((snapshot, frame.segment));
                (0, Vec::new())
            }
            None => {
                let runs = frame::runs(frame.payload)?.into_iter().map(|(run, _)| run);
                (frame::time_ms(frame.payload), runs.collect())
            }
        };
        self.frames.push((frame.place(), time_ms, runs));
        Ok(())
    }

    fn finish(self) -> Result<(State, BTreeMap<Road, u64>), EmbeddedError> {
        let mut state = State::default();
        let snapshot = self.snapshot.map(|(snapshot, _)| snapshot).unwrap_or_default();
        for topic in &snapshot.topics {
            state.topics.add(&topic.name, topic.incarnation, &topic.next);
        }
        for consumer in &snapshot.consumers {
            state.registrations.restore(consumer);
        }
        for (place, time_ms, runs) in self.frames {
            if !runs.iter().all(|run| state.topics.continues(run)) {
                let reason = "it names a topic that no snapshot explains, or leaves offsets out";
                return Err(EmbeddedError::Frame(reason));
            }
            state.show(Written { place, time_ms, runs, bytes: Bytes::new() }, 0);
        }
        let ends = state.topics.iter().flat_map(|(topic, found)| {
            let end = move |(partition, p): (u32, &Partition)| (Road { topic, partition }, p.end);
            (0..).zip(&found.partitions).map(end)
        });
        let next = ends.collect();
        Ok((state, next))
    }
}
