//! Kept deliveries and timers, put together from their rows.

use std::sync::Arc;

use bytes::Bytes;

use crate::envelope::{Context, Envelope, Headers};
use crate::store::change::{Id, KeptBody, KeptRow, TimerRow};
use crate::store::form::decode;
use crate::store::kept_table::failure_rows;
use crate::store::layers::{RowId, Table};
use crate::store::page::rows;
use crate::store::states::{Cold, Memtable, Shared};
use crate::store::{Failure, Kept, KeptMessage, StoreError, Timer, TimerId, Unhandled};

/// A row names what has no number.
#[derive(Debug, thiserror::Error)]
#[error("a stored row names what has no number; please report this")]
struct Nameless;

fn nameless() -> StoreError {
    StoreError::failed(Nameless)
}

fn name(memtable: &Memtable, id: Id) -> Result<Arc<str>, StoreError> {
    memtable.names.get(id).cloned().ok_or_else(nameless)
}

/// A kept delivery without its message.
pub(super) fn of(memtable: &Memtable, row: &KeptRow) -> Result<Kept, StoreError> {
    memtable.kept_of(row).ok_or_else(nameless)
}

/// A message that no handler takes, without its body.
pub(super) fn unhandled(memtable: &Memtable, row: &KeptRow) -> Result<Unhandled, StoreError> {
    let Kept { number, position, handler: type_name, key, since_ms, bytes, .. } =
        of(memtable, row)?;
    Ok(Unhandled { number, position, type_name, key, since_ms, bytes })
}

/// A kept delivery with its message; `None` if it is not there, or went while it was read.
pub(super) fn message(
    shared: &Shared,
    cold: Option<&dyn Cold>,
    number: u64,
) -> Result<Option<KeptMessage>, StoreError> {
    let memtable = shared.read();
    let Some(row) = memtable.kept.get(&number) else { return Ok(None) };
    let kept = of(&memtable, row)?;
    let history = failure_rows(number, row.failures);
    drop(memtable);
    let ids: Vec<RowId> =
        std::iter::once(RowId(Table::KeptMessages, number, 0)).chain(history).collect();
    let mut found = rows(shared, cold, &ids)?.into_iter();
    let Some(body) = found.next().flatten() else { return Ok(None) };
    let body: KeptBody = decode(&body).map_err(StoreError::failed)?;
    let failures = found.flatten().map(|row| decode(&row).map_err(StoreError::failed));
    let mut failures: Vec<(u32, Failure)> = failures.collect::<Result<_, _>>()?;
    failures.sort_unstable_by_key(|(nth, _)| *nth);
    let memtable = shared.read();
    let envelope = Arc::new(Envelope {
        // Noted when it was kept.
        time_ms: 0,
        position: kept.position.clone(),
        topic: name(&memtable, body.topic)?,
        type_name: name(&memtable, body.type_name)?,
        key: kept.key.clone(),
        context: Context { prev: body.prev, horizon: body.horizon, floor: body.floor },
        digest: body.digest,
        headers: Headers::written(body.headers),
        body: body.body,
    });
    let handlers = match body.handlers.as_slice() {
        // None took it when it came.
        [] => Arc::from([Arc::clone(&kept.handler)]),
        ids => ids.iter().map(|id| name(&memtable, *id)).collect::<Result<_, _>>()?,
    };
    let failures = failures.into_iter().map(|(_, failure)| failure).collect();
    Ok(Some(KeptMessage { kept, envelope, handlers, failures }))
}

/// A timer of its row.
pub(super) fn timer(memtable: &Memtable, row: &Bytes) -> Result<Timer, StoreError> {
    let TimerRow { timer, cause, headers, body } = decode(row).map_err(StoreError::failed)?;
    Ok(Timer {
        id: TimerId { due_ms: timer.due_ms, number: timer.number },
        topic: name(memtable, timer.topic)?,
        type_name: name(memtable, timer.type_name)?,
        key: timer.key,
        name: timer.name,
        handler: cause.map(|(_, handler, _)| name(memtable, handler)).transpose()?,
        bytes: headers.len() + body.len(),
    })
}
