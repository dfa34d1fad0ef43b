//! What an opening verifies: every key that sled holds, against the base's own row.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;

use super::base::sled_error;
use super::chunk::Flaw;
use super::error::BaseError;
use super::key::{self, META};
use super::meta::Meta;

/// Checks all of sled's keys against the base's own row, and returns that.
pub(super) fn verify(db: &::sled::Db, dir: &Path) -> Result<Meta, BaseError> {
    let damaged = |table, key: Vec<u8>, flaw| {
        Err(BaseError::Damaged { path: dir.to_owned(), table, key, flaw })
    };
    let failed = |source| sled_error("verifying", dir, source);
    let meta = match db.get(META).map_err(failed)?.as_deref().map(Meta::from_bytes) {
        None => return damaged(0, META.to_vec(), Flaw::NoMeta),
        Some(Err(flaw)) => return damaged(0, META.to_vec(), flaw),
        Some(Ok(meta)) => meta,
    };
    let mut found = BTreeMap::new();
    let mut before = ::sled::IVec::default();
    for stored in db.range::<&[u8], _>((Bound::Excluded(META), Bound::Unbounded)).keys() {
        let stored = stored.map_err(failed)?;
        let table = stored.first().copied().unwrap_or_default();
        match (key::split(&stored), key::split(&before)) {
            (None, _) => return damaged(table, stored.to_vec(), Flaw::Key),
            (Some((_, 0)), _) => {}
            (Some((row, number)), Some((last_row, last)))
                if row == last_row && last.checked_add(1) == Some(number) => {}
            (Some((row, _)), last) => {
                let flaw = match last {
                    Some((last_row, _)) if last_row == row => Flaw::MissingChunk,
                    _ => Flaw::NoHead,
                };
                let key = key::parse(row).map_or_else(|| row.to_vec(), |(_, key)| key);
                return damaged(table, key, flaw);
            }
        }
        *found.entry(table).or_insert(0_u64) += 1;
        before = stored;
    }
    let tables = found.keys().chain(meta.entries.keys());
    let count = |of: &BTreeMap<u8, u64>, table: &u8| of.get(table).copied().unwrap_or_default();
    for table in tables {
        let (found, recorded) = (count(&found, table), count(&meta.entries, table));
        if found != recorded {
            let path = dir.to_owned();
            return Err(BaseError::Miscounted { path, table: *table, found, recorded });
        }
    }
    Ok(meta)
}
