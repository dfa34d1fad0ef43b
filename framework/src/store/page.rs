//! Rows in their order: those in memory over those behind it.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use super::StoreError;
use super::layers::{RowId, Table};
use super::states::{Cold, Shared};

/// Up to `most` rows of a table, those behind `after`, each as it was durable at some moment of
/// the call. As with [`scan`](super::scan::scan), no lock is held while what is behind is read.
pub(super) fn page(
    shared: &Shared,
    cold: Option<&dyn Cold>,
    table: Table,
    after: Option<RowId>,
    most: usize,
) -> Result<Vec<(RowId, Bytes)>, StoreError> {
    loop {
        // A checkpoint that began meanwhile has moved rows behind: only then once more.
        if let Some(page) = attempt(shared, cold, table, after, most)? {
            return Ok(page);
        }
    }
}

fn attempt(
    shared: &Shared,
    cold: Option<&dyn Cold>,
    table: Table,
    after: Option<RowId>,
    most: usize,
) -> Result<Option<Vec<(RowId, Bytes)>>, StoreError> {
    let memtable = shared.read();
    let (began, from) = (memtable.checkpoints, memtable.begin(table, after));
    drop(memtable);
    let behind = cold.into_iter().flat_map(|cold| cold.rows(from));
    let mut behind = behind.filter(|row| match row {
        Ok((id, _)) => after.is_none_or(|after| *id > after),
        Err(_) => true,
    });
    let mut found = BTreeMap::new();
    loop {
        let wanted = most.saturating_sub(found.len());
        let rows: Vec<_> = behind.by_ref().take(wanted).collect::<Result<_, _>>()?;
        let is_all = rows.len() < wanted;
        let memtable = shared.read();
        if memtable.checkpoints != began {
            return Ok(None);
        }
        found.extend(rows.into_iter().filter(|(id, _)| memtable.rows.get(*id).is_none()));
        if is_all || found.len() >= most {
            let from = memtable.begin(table, after);
            let from = if after.is_some() { Bound::Excluded(from) } else { Bound::Included(from) };
            found.extend(memtable.rows.first(table, from, most));
            let page: Vec<_> = found.into_iter().take(most).collect();
            if table == Table::Timers && after.is_none() && most > 0 {
                // Nobody writes while the lock is held: what lies before this is gone for good.
                memtable.timers_begin_at(page.first().map(|(id, _)| *id));
            }
            return Ok(Some(page));
        }
    }
}

/// These rows; `None` for one that is not there.
pub(super) fn rows(
    shared: &Shared,
    cold: Option<&dyn Cold>,
    ids: &[RowId],
) -> Result<Vec<Option<Bytes>>, StoreError> {
    let memtable = shared.read();
    let find = |id: &RowId| memtable.rows.get(*id).map(|row| row.cloned());
    let found: Vec<Option<Option<Bytes>>> = ids.iter().map(find).collect();
    drop(memtable);
    // What was not in memory was behind it then, and what is there now is that or newer.
    let read = |(found, id): (Option<Option<Bytes>>, &RowId)| match (found, cold) {
        (Some(row), _) => Ok(row),
        (None, Some(cold)) => cold.row(*id),
        (None, None) => Ok(None),
    };
    found.into_iter().zip(ids).map(read).collect()
}
