//! The tables' rows in the base: what each looks like, written at a checkpoint, read at opening.
//!
//! Numbers are big endian in keys, so that rows lie in the order in which they are read. Values
//! begin with the version of their form. Tags and versions are never reused.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::base::Base;
use super::checkpoint::Change as Row;
use super::cold::{self, Seen};
use crate::store::change::{Id, KeptRow, Place, Registered, SendRow};
use crate::store::form::{FORM, FormError, decode, encode};
use crate::store::inbox::InStream;
use crate::store::layers::Rows;
use crate::store::outbox::OutStreamRow;
use crate::store::sources::Numbers;
use crate::store::states::States;
use crate::store::tables::Tables;
use crate::store::{Scheduled, StoredState};
use crate::stream::{PartitionId, Ranges, StreamId};

const NAMES: u8 = 1;
const STATE_NAMES: u8 = 2;
const APP: u8 = 3;
const STREAMS: u8 = 4;
const PARTITIONS: u8 = 5;
const PENDING: u8 = 6;
pub(super) const STATES: u8 = 7;
const OUT_STREAMS: u8 = 8;
const OUTBOX: u8 = 9;
const INTAKE: u8 = 10;
const KEPT: u8 = 11;
pub(super) const KEPT_MESSAGES: u8 = 12;
pub(super) const KEPT_FAILURES: u8 = 13;
pub(super) const TIMERS: u8 = 14;
pub(super) const INVALID: u8 = 15;
const NUMBERS: u8 = 16;
const SCHEDULES: u8 = 17;
const IDS: u8 = 18;

/// What a checkpoint writes of all tables but the outbox's rows and the states.
fn few(tables: &mut Tables) -> Result<Vec<Row>, RowError> {
    let mut rows = Vec::new();
    let dirty = std::mem::take(&mut tables.dirty);
    let inbox = std::mem::take(&mut tables.inbox.dirty);
    let outbox = std::mem::take(&mut tables.outbox.dirty);
    for id in dirty.names {
        rows.push(put(NAMES, number(id), &tables.names.get(id))?);
    }
    if dirty.app {
        for (id, name) in tables.state_names.iter() {
            let is = tables.app.states.contains(&id);
            let is = if is { Registered::Yes } else { Registered::No };
            rows.push(put(STATE_NAMES, number(id), &(name, is))?);
        }
        let crate::store::tables::App { handlers, types, renamed, .. } = &tables.app;
        rows.push(put(APP, Vec::new(), &(handlers, types, renamed))?);
    }
    for id in inbox.streams {
        let stream = tables.streams.get(id).map(|stream| &**stream);
        rows.push(stream_row(id, stream, tables.inbox.streams().get(&id))?);
    }
    for id in inbox.partitions {
        let row = (tables.partitions.get(id), tables.inbox.partitions().get(&id));
        rows.push(put(PARTITIONS, number(id), &row)?);
    }
    for place in inbox.pending {
        let key = place_key(place);
        rows.push(match tables.inbox.pending(place) {
            Some(handlers) => put(PENDING, key, &(place, handlers))?,
            None => delete(PENDING, key),
        });
    }
    intake_rows(tables, &mut rows)?;
    for name in dirty.schedules {
        let key = name.as_bytes().to_vec();
        rows.push(match tables.schedules.get(&name) {
            Some(schedule) => put(SCHEDULES, key, schedule)?,
            None => delete(SCHEDULES, key),
        });
    }
    let kept = tables.kept.take_dirty();
    let removed = kept.removed.into_iter();
    rows.extend(removed.map(|number| delete(KEPT, number.to_be_bytes().to_vec())));
    for number in kept.changed {
        if let Some(row) = tables.kept.get(number) {
            rows.push(kept_row(row)?);
        }
    }
    let numbers = (tables.kept.next, tables.timers.next, tables.invalid.next);
    rows.push(put(NUMBERS, Vec::new(), &numbers)?);
    for (topic, slot) in outbox.streams {
        let row = tables.outbox.stream_row(topic, slot);
        rows.push(put(OUT_STREAMS, slot_key(topic, slot), &row)?);
    }
    for (topic, slot, sequence) in outbox.removed {
        rows.push(delete(OUTBOX, row_key(topic, slot, sequence)));
    }
    Ok(rows)
}

/// The net changes since the last checkpoint. Bodies and values are shared with the tables.
pub(super) struct Changes {
    few: Vec<Row>,
    sends: Vec<SendRow>,
    states: Arc<States>,
    rows: Arc<Rows>,
}

impl Changes {
    /// Takes what a checkpoint has to write; from here on it counts as written.
    pub(super) fn take(tables: &mut Tables) -> Result<Self, RowError> {
        let few = few(tables)?;
        let unwritten = tables.outbox.unwritten();
        let sends = unwritten
            .iter()
            .map(|row| tables.send_row(row).ok_or(RowError::Nameless { sequence: row.sequence }));
        let sends = sends.collect::<Result<_, _>>()?;
        let (states, rows) = tables.shared.freeze();
        Ok(Changes { few, sends, states, rows })
    }

    /// The rows. Large ones are encoded one by one, when they are drawn. An outgoing stream comes
    /// before its rows: a row without its stream would hide the sequences before it.
    pub(super) fn rows(&self) -> impl Iterator<Item = Result<Row, RowError>> {
        let few = self.few.iter().cloned().map(Ok);
        let states = self.states.iter().flat_map(|(name, by_key)| {
            // In key order: neighbours lie on one of sled's pages, and runs are alike.
            let mut states: Vec<_> = by_key.iter().collect();
            states.sort_unstable_by_key(|(key, _)| *key);
            states.into_iter().map(|(key, state)| Ok(state_row(*name, key, state)))
        });
        let rows = self.rows.iter().map(|(id, row)| Ok(cold::row(*id, row)));
        few.chain(self.sends.iter().map(send_row)).chain(states).chain(rows)
    }
}

pub(super) fn stream_row(
    id: Id,
    stream: Option<&StreamId>,
    known: Option<&InStream>,
) -> Result<Row, RowError> {
    put(STREAMS, number(id), &(stream, known))
}

pub(super) fn intake_row(source: &str, numbers: &Numbers) -> Result<Row, RowError> {
    put(INTAKE, source.as_bytes().to_vec(), numbers)
}

pub(super) fn send_row(row: &SendRow) -> Result<Row, RowError> {
    put(OUTBOX, row_key(row.topic, row.slot, row.sequence), row)
}

pub(super) fn kept_row(row: &KeptRow) -> Result<Row, RowError> {
    put(KEPT, row.number.to_be_bytes().to_vec(), row)
}

pub(super) fn state_row(name: Id, key: &str, state: &StoredState) -> Row {
    let row = state_key(name, key);
    let Some(value) = &state.value else { return delete(STATES, row) };
    let mut bytes = Vec::with_capacity(13 + value.json.len());
    bytes.push(FORM);
    bytes.extend_from_slice(&state.version.to_be_bytes());
    bytes.extend_from_slice(&value.schema.to_be_bytes());
    bytes.extend_from_slice(&value.json);
    Row { table: STATES, key: row, value: Some(bytes) }
}

/// What a checkpoint writes of sources and ids.
fn intake_rows(tables: &mut Tables, rows: &mut Vec<Row>) -> Result<(), RowError> {
    for source in std::mem::take(&mut tables.sources.dirty) {
        rows.push(match tables.sources.get(&source) {
            Some(numbers) => intake_row(&source, numbers)?,
            None => delete(INTAKE, source.as_bytes().to_vec()),
        });
    }
    for number in std::mem::take(&mut tables.ids.dirty) {
        let key = number.to_be_bytes().to_vec();
        rows.push(match tables.ids.get(number) {
            Some(row) => put(IDS, key, row)?,
            None => delete(IDS, key),
        });
    }
    Ok(())
}

/// Puts back into new tables what checkpoints have written. States stay where they are, and so do
/// the rows that were seen when the base was verified.
pub(super) fn load(base: &Base, seen: Vec<Seen>, tables: &mut Tables) -> Result<(), RowError> {
    let mut shown: Vec<(Id, u8, u64)> = Vec::new();
    for row in scan::<Option<Arc<str>>>(base, NAMES) {
        let (key, Some(name)) = row? else { continue };
        tables.names.set(id(&key)?, name);
    }
    for row in scan::<(Arc<str>, Registered)>(base, STATE_NAMES) {
        let (key, (name, is)) = row?;
        let id = id(&key)?;
        tables.state_names.set(id, name);
        if is == Registered::Yes {
            tables.app.states.insert(id);
        }
    }
    for row in scan(base, APP) {
        (tables.app.handlers, tables.app.types, tables.app.renamed) = row?.1;
    }
    for row in scan::<(Option<StreamId>, Option<InStream>)>(base, STREAMS) {
        let (key, (Some(stream), known)) = row? else { continue };
        let id = id(&key)?;
        tables.streams.set(id, Arc::new(stream));
        tables.inbox.load_stream(id, known.unwrap_or_default());
    }
    for row in scan::<(Option<PartitionId>, Option<Ranges>)>(base, PARTITIONS) {
        let (key, (Some(partition), done)) = row? else { continue };
        let id = id(&key)?;
        tables.partitions.set(id, Arc::new(partition));
        tables.inbox.load_partition(id, done.unwrap_or_default());
    }
    for row in scan::<(Place, Vec<Id>)>(base, PENDING) {
        let (place, handlers) = row?.1;
        tables.inbox.load_pending(place, handlers);
    }
    load_intake(base, tables)?;
    load_schedules(base, tables)?;
    for row in scan::<Option<OutStreamRow>>(base, OUT_STREAMS) {
        let (key, Some(row)) = row? else { continue };
        let (topic, slot) = match key.as_slice() {
            &[a, b, c, d, slot] => (u32::from_be_bytes([a, b, c, d]), slot),
            _ => return Err(RowError::Key { table: OUT_STREAMS }),
        };
        let name = tables.names.get(topic).ok_or(RowError::Key { table: OUT_STREAMS })?;
        let stream = tables.identity.stream(Arc::clone(name), slot);
        tables.outbox.load_stream(topic, stream, row);
        shown.push((topic, slot, row.next - 1));
    }
    for row in scan::<SendRow>(base, OUTBOX) {
        let row = row?.1;
        let (topic, row) = tables.outbox_row(&row).ok_or(RowError::Key { table: OUTBOX })?;
        tables.outbox.load_row(topic, Arc::new(row));
    }
    for row in scan(base, KEPT) {
        tables.kept.load(row?.1);
    }
    for row in scan::<(u64, u64, u64)>(base, NUMBERS) {
        let (kept, timers, invalid) = row?.1;
        tables.kept.next = tables.kept.next.max(kept);
        tables.timers.next = tables.timers.next.max(timers);
        tables.invalid.next = tables.invalid.next.max(invalid);
    }
    cold::load(seen, tables)?;
    show(tables, shown);
    Ok(())
}

fn load_intake(base: &Base, tables: &mut Tables) -> Result<(), RowError> {
    for row in scan(base, INTAKE) {
        let (key, numbers) = row?;
        let source = str::from_utf8(&key).map_err(|_| RowError::Key { table: INTAKE })?;
        tables.sources.load(source.into(), numbers);
    }
    for row in scan(base, IDS) {
        tables.ids.load(row?.1);
    }
    Ok(())
}

fn load_schedules(base: &Base, tables: &mut Tables) -> Result<(), RowError> {
    for row in scan::<Scheduled>(base, SCHEDULES) {
        let schedule = row?.1;
        tables.schedules.insert(Arc::clone(&schedule.name), schedule);
    }
    Ok(())
}

/// Shows readers what was loaded.
fn show(tables: &Tables, sent: Vec<(Id, u8, u64)>) {
    tables.shared.update(|memtable| {
        for (id, name) in tables.names.iter() {
            memtable.names.set(id, Arc::clone(name));
        }
        for (id, name) in tables.state_names.iter() {
            memtable.state_names.set(id, Arc::clone(name));
        }
        for (id, stream) in tables.streams.iter() {
            memtable.streams.set(id, Arc::clone(stream));
        }
        for (id, partition) in tables.partitions.iter() {
            memtable.partitions.set(id, Arc::clone(partition));
        }
        memtable.kept = tables.kept.rows().map(|row| (row.number, row.clone())).collect();
        memtable.schedules = tables.schedules.clone();
        memtable.intake = tables.sources.nexts();
        memtable.sent = sent.into_iter().map(|(topic, slot, last)| ((topic, slot), last)).collect();
    });
}

/// The rows of a table, decoded.
fn scan<T: DeserializeOwned>(
    base: &Base,
    table: u8,
) -> impl Iterator<Item = Result<(Vec<u8>, T), RowError>> {
    base.scan(table, &[]).map(move |row| {
        let (key, value) = row?;
        Ok((key, decode(&value).map_err(|source| RowError::Form { table, source })?))
    })
}

fn put(table: u8, key: Vec<u8>, value: &impl Serialize) -> Result<Row, RowError> {
    let value = encode(value).map_err(|source| RowError::Value { table, source })?;
    Ok(Row { table, key, value: Some(value) })
}

fn delete(table: u8, key: Vec<u8>) -> Row {
    Row { table, key, value: None }
}

/// How many rows of the outbox there are.
#[cfg(test)]
pub(super) fn outbox_rows(base: &Base) -> usize {
    base.scan(OUTBOX, &[]).map(Result::unwrap).count()
}

fn number(id: Id) -> Vec<u8> {
    id.to_be_bytes().to_vec()
}

fn id(key: &[u8]) -> Result<Id, RowError> {
    Ok(Id::from_be_bytes(key.try_into().map_err(|_| RowError::Key { table: 0 })?))
}

fn slot_key(topic: Id, slot: u8) -> Vec<u8> {
    [&topic.to_be_bytes()[..], &[slot]].concat()
}

fn row_key(topic: Id, slot: u8, sequence: u64) -> Vec<u8> {
    [&slot_key(topic, slot)[..], &sequence.to_be_bytes()].concat()
}

pub(super) fn state_key(name: Id, key: &str) -> Vec<u8> {
    [&name.to_be_bytes()[..], key.as_bytes()].concat()
}

fn place_key(place: Place) -> Vec<u8> {
    let (kind, id, number) = match place {
        Place::Stream(id, sequence) => (0, id, sequence),
        Place::Foreign(id, offset) => (1, id, offset),
    };
    [&[kind][..], &id.to_be_bytes(), &number.to_be_bytes()].concat()
}

/// A row of the base is not what this version of endwise writes.
#[derive(Debug, thiserror::Error)]
pub(super) enum RowError {
    #[error(transparent)]
    Base(#[from] super::BaseError),
    #[error("a key in table {table} of the checkpoint cannot be read; restore a backup")]
    Key { table: u8 },
    #[error("table {table} of the checkpoint: {source}")]
    Form { table: u8, source: FormError },
    #[error("message {sequence} of the outbox names what has no number; please report this")]
    Nameless { sequence: u64 },
    #[error("a row for table {table} of the checkpoint cannot be written: {source}")]
    Value { table: u8, source: postcard::Error },
}
