//! A publish batch as it stands in the journal: one frame, whatever its partitions.
//!
//! ```text
//! kind u8 · version u8 · 0 u16 · runs u32 · milliseconds since 1970 u64
//! · a run: topic u32 · partition u32 · first offset u64 · records u32 · bytes u32
//! · a record: key u32 (all ones: none) · headers u32 · body u32 · the three of them
//! ```
//! All numbers are little endian. A run holds the records of one partition in their order. The
//! publisher writes all of it but the time and the first offsets, which the broker's one writer stamps in: so
//! the bulk of the work is done side by side, and only the numbering is one after the other. It
//! has no checksum, for the journal's frame has one, which every read from the disk checks.

use std::ops::Range;

use bytes::{Buf, Bytes};

use super::error::EmbeddedError;
use crate::broker::Publication;
use crate::envelope::Headers;
use crate::stream::Key;

/// Kind and version of a frame of records.
pub(super) const RECORDS: [u8; 2] = [1, 2];

const HEAD_BYTES: usize = 16;
const TIME_AT: usize = 8;
const RUN_BYTES: usize = 24;
/// Bytes that a record takes besides its key, headers and body.
pub(super) const RECORD_BYTES: usize = 12;
const NO_KEY: u32 = u32::MAX;

/// A partition by its numbers: how frames name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Road {
    pub(super) topic: u32,
    pub(super) partition: u32,
}

/// The records of one partition in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) road: Road,
    /// The offset of the first.
    pub(super) first: u64,
    /// How many.
    pub(super) count: u32,
    /// How many bytes.
    pub(super) bytes: u32,
}

impl Run {
    /// The offset behind the last.
    pub(super) fn end(&self) -> u64 {
        self.first.saturating_add(self.count.into())
    }
}

/// Bytes that a publication takes in a frame.
pub(super) fn size(publication: &Publication) -> usize {
    let Publication { key, headers, body, .. } = publication;
    let key = key.as_ref().map_or(0, |key| key.len());
    RECORD_BYTES + key + headers.as_bytes().len() + body.len()
}

/// A frame that has no offsets yet.
#[derive(Debug)]
pub(super) struct Unnumbered {
    bytes: Vec<u8>,
    runs: Vec<Run>,
}

impl Unnumbered {
    /// Encodes publications; `run_of` names the run of each. The caller holds every size below
    /// 4 GiB.
    pub(super) fn encode(runs: Vec<Run>, run_of: &[u32], publications: &[Publication]) -> Self {
        let table_end = HEAD_BYTES + runs.len() * RUN_BYTES;
        let records: usize = runs.iter().map(|run| run.bytes as usize).sum();
        let mut bytes = Vec::with_capacity(table_end + records);
        bytes.extend_from_slice(&RECORDS);
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&(runs.len() as u32).to_le_bytes());
        bytes.resize(table_end, 0);
        for index in sorted_by_run(&runs, run_of) {
            if let Some(publication) = publications.get(index as usize) {
                put(&mut bytes, publication);
            }
        }
        Unnumbered { bytes, runs }
    }

    /// The frame's size in bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Stamps the time and the first offset of each run in.
    pub(super) fn number(mut self, time_ms: u64, first: impl Fn(Road) -> u64) -> (Vec<Run>, Bytes) {
        if let Some(place) = self.bytes.get_mut(TIME_AT..HEAD_BYTES) {
            place.copy_from_slice(&time_ms.to_le_bytes());
        }
        let table = self.bytes.get_mut(HEAD_BYTES..).unwrap_or_default();
        for (run, place) in self.runs.iter_mut().zip(table.chunks_exact_mut(RUN_BYTES)) {
            run.first = first(run.road);
            place.copy_from_slice(&run_bytes(run));
        }
        (self.runs, Bytes::from(self.bytes))
    }
}

fn run_bytes(run: &Run) -> [u8; RUN_BYTES] {
    let mut bytes = [0; RUN_BYTES];
    let Run { road: Road { topic, partition }, first, count, bytes: length } = *run;
    let fields = [
        u64::from(topic) | u64::from(partition) << 32,
        first,
        u64::from(count) | u64::from(length) << 32,
    ];
    for (place, field) in bytes.chunks_exact_mut(8).zip(fields) {
        place.copy_from_slice(&field.to_le_bytes());
    }
    bytes
}

/// The publications' indexes, run by run, in their order within each (a counting sort).
fn sorted_by_run(runs: &[Run], run_of: &[u32]) -> Vec<u32> {
    let mut places: Vec<u32> = runs
        .iter()
        .scan(0, |sum, run| {
            let start = *sum;
            *sum += run.count;
            Some(start)
        })
        .collect();
    let mut sorted = vec![0; run_of.len()];
    for (index, run) in (0u32..).zip(run_of) {
        if let Some(place) = places.get_mut(*run as usize) {
            if let Some(entry) = sorted.get_mut(*place as usize) {
                *entry = index;
            }
            *place += 1;
        }
    }
    sorted
}

fn put(bytes: &mut Vec<u8>, publication: &Publication) {
    let Publication { key, headers, body, .. } = publication;
    let headers = headers.as_bytes();
    let key_length = key.as_ref().map_or(NO_KEY, |key| key.len() as u32);
    bytes.extend_from_slice(&key_length.to_le_bytes());
    bytes.extend_from_slice(&(headers.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(key.as_ref().map_or(&[], |key| key.as_bytes()));
    bytes.extend_from_slice(headers);
    bytes.extend_from_slice(body);
}

/// When a frame was written, milliseconds since 1970.
pub(super) fn time_ms(frame: &[u8]) -> u64 {
    frame.get(TIME_AT..HEAD_BYTES).map_or(0, |mut time| time.get_u64_le())
}

/// The runs of a frame, each with the place of its records.
pub(super) fn runs(frame: &[u8]) -> Result<Vec<(Run, Range<usize>)>, EmbeddedError> {
    let cut = || EmbeddedError::Frame("it ends too early");
    let mut head = frame.get(..HEAD_BYTES).ok_or_else(cut)?;
    if [head.get_u8(), head.get_u8()] != RECORDS {
        return Err(EmbeddedError::Frame("its kind or version is unknown"));
    }
    head.advance(2);
    let table_bytes = (head.get_u32_le() as usize).checked_mul(RUN_BYTES).ok_or_else(cut)?;
    let mut at = HEAD_BYTES + table_bytes;
    let table = frame.get(HEAD_BYTES..at).ok_or_else(cut)?;
    let read = |mut run: &[u8]| {
        let road = Road { topic: run.get_u32_le(), partition: run.get_u32_le() };
        let first = run.get_u64_le();
        let run = Run { road, first, count: run.get_u32_le(), bytes: run.get_u32_le() };
        let start = at;
        at = start.checked_add(run.bytes as usize).ok_or_else(cut)?;
        if at > frame.len() { Err(cut()) } else { Ok((run, start..at)) }
    };
    table.chunks_exact(RUN_BYTES).map(read).collect()
}

/// A record of a frame: slices of it, nothing copied but the key.
#[derive(Debug)]
pub(super) struct Fields {
    pub(super) key: Option<Key>,
    pub(super) headers: Headers,
    pub(super) body: Bytes,
    /// Bytes in the frame.
    pub(super) size: usize,
}

/// The lengths of key, headers and body of the record at `at`, and where the key begins.
fn lengths(records: &Bytes, at: usize) -> Option<(Option<usize>, usize, usize, usize)> {
    let start = at.checked_add(RECORD_BYTES)?;
    let mut lengths = records.get(at..start)?;
    let key = lengths.get_u32_le();
    let (headers, body) = (lengths.get_u32_le() as usize, lengths.get_u32_le() as usize);
    Some(((key != NO_KEY).then_some(key as usize), headers, body, start))
}

/// The place behind the record at `at`.
pub(super) fn skip(records: &Bytes, at: usize) -> Option<usize> {
    let (key, headers, body, start) = lengths(records, at)?;
    start.checked_add(key.unwrap_or(0))?.checked_add(headers)?.checked_add(body)
}

/// The record at `at`.
pub(super) fn record(records: &Bytes, at: usize) -> Result<Fields, EmbeddedError> {
    let cut = || EmbeddedError::Frame("a record ends too early");
    let (key_bytes, headers, body, start) = lengths(records, at).ok_or_else(cut)?;
    let headers_at = start + key_bytes.unwrap_or(0);
    let (body_at, end) = (headers_at + headers, headers_at + headers + body);
    if end > records.len() {
        return Err(cut());
    }
    let key = key_bytes.map(|_| {
        let bytes = records.get(start..headers_at).unwrap_or_default();
        str::from_utf8(bytes).map(Key::from)
    });
    let key = key.transpose().map_err(|_| EmbeddedError::Frame("a key is no text"))?;
    let headers = Headers::from_bytes(records.slice(headers_at..body_at))
        .ok_or(EmbeddedError::Frame("headers are malformed"))?;
    Ok(Fields { key, headers, body: records.slice(body_at..end), size: end - at })
}
