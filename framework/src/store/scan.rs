//! States in key order: those in memory over those behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::StoreError;
use super::change::Id;
use super::states::{Cold, Shared};
use crate::delivery::StateValue;
use crate::stream::Key;

type Page = Vec<(Key, StateValue)>;

/// Up to `most` states of a name in key order, those behind `after`, each as it was durable at
/// some moment of the call.
///
/// The lock is never held while what is behind is read: the committer would wait for the disk,
/// and every reader behind it.
pub(super) fn scan(
    shared: &Shared,
    cold: Option<&dyn Cold>,
    name: &Arc<str>,
    after: Option<&str>,
    most: usize,
) -> Result<Page, StoreError> {
    let Some(id) = shared.read().state_names.id(name) else { return Ok(Vec::new()) };
    loop {
        // A checkpoint that began meanwhile has moved states behind: only then once more.
        if let Some(page) = attempt(shared, cold, id, after, most)? {
            return Ok(page);
        }
    }
}

fn attempt(
    shared: &Shared,
    cold: Option<&dyn Cold>,
    name: Id,
    after: Option<&str>,
    most: usize,
) -> Result<Option<Page>, StoreError> {
    let began = shared.read().checkpoints;
    let behind = cold.into_iter().flat_map(|cold| cold.scan(name, after.unwrap_or_default()));
    let mut behind = behind.filter(|row| match row {
        Ok((key, _)) => after.is_none_or(|after| &**key > after),
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
        let rows = rows.into_iter().filter(|(key, _)| memtable.get(name, key).is_none());
        found.extend(rows.filter_map(|(key, state)| Some((key, state.value?))));
        if is_all || found.len() >= most {
            found.extend(memtable.first(name, after, most));
            return Ok(Some(found.into_iter().take(most).collect()));
        }
    }
}
