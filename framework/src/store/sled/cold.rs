//! What is read when it is needed and not held in memory: states, messages of kept deliveries,
//! timers, records that are no message.

use bytes::Bytes;

use super::base::Base;
use super::checkpoint::Change;
use super::table::{INVALID, KEPT_FAILURES, KEPT_MESSAGES, RowError, STATES, TIMERS, state_key};
use crate::delivery::StateValue;
use crate::store::change::{Id, TimerRow};
use crate::store::form::{FORM, FormError, decode};
use crate::store::layers::{Row, RowId, Table};
use crate::store::states::Cold;
use crate::store::tables::Tables;
use crate::store::timers::Loaded;
use crate::store::{StoreError, StoredState, TimerId};
use crate::stream::Key;

/// The row of the base that a row in memory is written as.
pub(super) fn row(id: RowId, row: &Row) -> Change {
    let RowId(table, ..) = id;
    let value = row.value().map(|value| value.to_vec());
    Change { table: tag(table), key: key(id), value }
}

fn tag(table: Table) -> u8 {
    match table {
        Table::KeptMessages => KEPT_MESSAGES,
        Table::KeptFailures => KEPT_FAILURES,
        Table::Timers => TIMERS,
        Table::Invalid => INVALID,
    }
}

fn key(RowId(_, first, second): RowId) -> Vec<u8> {
    [first.to_be_bytes(), second.to_be_bytes()].concat()
}

fn id(table: Table, key: &[u8]) -> Result<RowId, RowError> {
    match key
        .split_first_chunk::<8>()
        .and_then(|(first, rest)| Some((first, rest.try_into().ok()?)))
    {
        Some((first, second)) => {
            Ok(RowId(table, u64::from_be_bytes(*first), u64::from_be_bytes(second)))
        }
        None => Err(RowError::Key { table: tag(table) }),
    }
}

/// Puts back into new tables which rows there are. They stay where they are.
pub(super) fn load(base: &Base, tables: &mut Tables) -> Result<(), RowError> {
    let mut timers = Loaded::default();
    for row in base.scan(TIMERS, &[]) {
        let row = decode::<TimerRow>(&row?.1);
        let row = row.map_err(|source| RowError::Form { table: TIMERS, source })?.timer;
        let id = TimerId { due_ms: row.due_ms, number: row.number };
        timers.add(id, row.topic, row.type_name, row.key.as_deref(), row.name.as_deref());
    }
    tables.timers.load(timers);
    for row in base.scan(INVALID, &[]) {
        tables.invalid.set(id(Table::Invalid, &row?.0)?.1);
    }
    Ok(())
}

impl Cold for Base {
    fn state(&self, name: Id, key: &str) -> Result<StoredState, StoreError> {
        let row = self.get(STATES, &state_key(name, key)).map_err(StoreError::failed)?;
        row.map_or(Ok(StoredState { version: 0, value: None }), |row| {
            stored(row).ok_or_else(|| StoreError::failed(not_a_state()))
        })
    }

    fn scan(
        &self,
        name: Id,
        from: &str,
    ) -> Box<dyn Iterator<Item = Result<(Key, StoredState), StoreError>> + '_> {
        let rows = Base::scan(self, STATES, &state_key(name, from));
        let decode = move |row: Result<(Vec<u8>, Vec<u8>), super::BaseError>| {
            let (key, value) = row.map_err(StoreError::failed)?;
            let Some(key) = key.strip_prefix(&name.to_be_bytes()) else { return Ok(None) };
            let read = str::from_utf8(key).ok().zip(stored(value));
            let (key, state) = read.ok_or_else(|| StoreError::failed(not_a_state()))?;
            Ok(Some((Key::from(key), state)))
        };
        // The rows of the next name end the scan.
        Box::new(rows.map(decode).map_while(Result::transpose))
    }

    fn row(&self, id: RowId) -> Result<Option<Bytes>, StoreError> {
        let row = self.get(tag(id.0), &key(id)).map_err(StoreError::failed)?;
        Ok(row.map(Bytes::from))
    }

    fn rows(
        &self,
        from: RowId,
    ) -> Box<dyn Iterator<Item = Result<(RowId, Bytes), StoreError>> + '_> {
        Box::new(Base::scan(self, tag(from.0), &key(from)).map(move |row| {
            let (key, value) = row.map_err(StoreError::failed)?;
            Ok((id(from.0, &key).map_err(StoreError::failed)?, Bytes::from(value)))
        }))
    }
}

fn not_a_state() -> RowError {
    RowError::Form { table: STATES, source: FormError::Unknown }
}

fn stored(row: Vec<u8>) -> Option<StoredState> {
    let (&[form, ref rest @ ..], json) = row.split_first_chunk::<13>()?;
    let (version, schema) = rest.split_first_chunk::<8>()?;
    if form != FORM {
        return None;
    }
    let (version, schema) =
        (u64::from_be_bytes(*version), u32::from_be_bytes(schema.try_into().ok()?));
    Some(StoredState { version, value: Some(StateValue { schema, json: json.to_vec().into() }) })
}
