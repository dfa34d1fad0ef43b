//! What is read when it is needed and not held in memory: states, messages of kept deliveries,
//! timers, records that are no message.

use bytes::Bytes;

use super::base::Base;
use super::checkpoint::Change;
use super::table::{INVALID, KEPT_FAILURES, KEPT_MESSAGES, RowError, STATES, TIMERS, state_key};
use super::verify::Watch;
use super::{chunk, key};
use crate::delivery::StateValue;
use crate::store::change::Id;
use crate::store::form::{FORM, FormError};
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
    Change { table: tag(table), key: row_key(id), value }
}

fn tag(table: Table) -> u8 {
    match table {
        Table::KeptMessages => KEPT_MESSAGES,
        Table::KeptFailures => KEPT_FAILURES,
        Table::Timers => TIMERS,
        Table::Invalid => INVALID,
    }
}

fn row_key(RowId(_, first, second): RowId) -> Vec<u8> {
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

/// Which timers and invalid records there are, as it is seen while the base is verified.
#[derive(Debug, Default)]
pub(super) struct Seen {
    timers: Loaded,
    invalid: Vec<u64>,
    /// What was no such row.
    error: Option<RowError>,
}

/// What a timer's row begins with: see [`TimerKey`](crate::store::change::TimerKey). It lies in
/// the row's first chunk whatever its body, for keys and names are limited.
#[derive(serde::Deserialize)]
struct TimerHead<'a> {
    due_ms: u64,
    number: u64,
    topic: Id,
    type_name: Id,
    key: Option<&'a str>,
    name: Option<&'a str>,
}

impl Watch for Seen {
    fn see(&mut self, table: u8, row: &[u8], entry: &[u8]) {
        let taken = match table {
            TIMERS => self.see_timer(entry),
            INVALID => self.see_invalid(row),
            _ => return,
        };
        if let Err(error) = taken {
            self.error.get_or_insert(error);
        }
    }
}

impl Seen {
    fn see_timer(&mut self, entry: &[u8]) -> Result<(), RowError> {
        let form = |source| RowError::Form { table: TIMERS, source };
        let head = match chunk::beginning(entry).map(<[u8]>::split_first) {
            Ok(Some((&FORM, rest))) => postcard::take_from_bytes::<TimerHead<'_>>(rest),
            _ => return Err(form(FormError::Unknown)),
        };
        let (head, _) = head.map_err(|error| form(error.into()))?;
        let id = TimerId { due_ms: head.due_ms, number: head.number };
        self.timers.add(id, head.topic, head.type_name, head.key, head.name);
        Ok(())
    }

    fn see_invalid(&mut self, row: &[u8]) -> Result<(), RowError> {
        let (_, key) = key::parse(row).ok_or(RowError::Key { table: INVALID })?;
        self.invalid.push(id(Table::Invalid, &key)?.1);
        Ok(())
    }
}

/// Puts back into new tables which rows were seen.
pub(super) fn load(seen: Vec<Seen>, tables: &mut Tables) -> Result<(), RowError> {
    let mut timers = Loaded::for_all(seen.iter().map(|seen| &seen.timers));
    for Seen { timers: mine, invalid, error } in seen {
        error.map_or(Ok(()), Err)?;
        timers.join(mine);
        invalid.into_iter().for_each(|number| tables.invalid.set(number));
    }
    tables.timers.load(timers);
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
        let row = self.get(tag(id.0), &row_key(id)).map_err(StoreError::failed)?;
        Ok(row.map(Bytes::from))
    }

    fn rows(
        &self,
        from: RowId,
    ) -> Box<dyn Iterator<Item = Result<(RowId, Bytes), StoreError>> + '_> {
        Box::new(Base::scan(self, tag(from.0), &row_key(from)).map(move |row| {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::change::{TimerKey, TimerRow};
    use crate::store::form::encode;

    #[test]
    fn a_timer_is_known_by_the_first_chunk_of_its_row() {
        let mut seen = Seen::default();
        for (number, name) in (1..).zip([Some("reminder"), None]) {
            let (key, name) = (Some("k".into()), name.map(Into::into));
            let timer = TimerKey { due_ms: 90, number, topic: 1, type_name: 2, key, name };
            let (cause, headers) = (None, Bytes::new());
            let row = TimerRow { timer, cause, headers, body: vec![0; 30_000].into() };
            let chunks = chunk::split(TIMERS, b"key", &encode(&row).unwrap());
            seen.see(TIMERS, b"", &chunks[0]);
        }
        let identity = crate::store::tables::Identity { service: "s".into(), store: 1, epoch: 0 };
        let mut tables = Tables::new(identity);
        load(vec![Seen::default(), seen], &mut tables).unwrap();
        let id = TimerId { due_ms: 90, number: 1 };
        assert_eq!(tables.timers.find(1, 2, Some("k"), "reminder"), Some(id));
        assert_eq!((tables.timers.len(), tables.timers.next), (2, 3));
    }

    #[test]
    fn a_timer_of_another_form_is_an_error() {
        let mut seen = Seen::default();
        seen.see(TIMERS, b"", &chunk::split(TIMERS, b"key", &[9, 1, 2])[0]);
        let identity = crate::store::tables::Identity { service: "s".into(), store: 1, epoch: 0 };
        assert!(load(vec![seen], &mut Tables::new(identity)).is_err());
    }
}
