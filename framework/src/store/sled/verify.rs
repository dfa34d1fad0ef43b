//! What an opening verifies: every key that sled holds, against the base's own row.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;

use super::base::sled_error;
use super::chunk::Flaw;
use super::error::BaseError;
use super::key::{self, META};
use super::meta::{Meta, Tally};

/// Is shown the first chunk of each row while it is verified: table, the row's address, the chunk.
/// What it makes of them is to be believed once all is verified.
pub(super) type See<'a> = dyn FnMut(u8, &[u8], &[u8]) + 'a;

/// Checks all of sled's keys against the base's own row, and returns that.
pub(super) fn verify(db: &::sled::Db, dir: &Path, see: &mut See<'_>) -> Result<Meta, BaseError> {
    let damaged = |table, key: Vec<u8>, flaw| {
        Err(BaseError::Damaged { path: dir.to_owned(), table, key, flaw })
    };
    let failed = |source| sled_error("verifying", dir, source);
    let meta = match db.get(META).map_err(failed)?.as_deref().map(Meta::from_bytes) {
        None => return damaged(0, META.to_vec(), Flaw::NoMeta),
        Some(Err(flaw)) => return damaged(0, META.to_vec(), flaw),
        Some(Ok(meta)) => meta,
    };
    let mut found = BTreeMap::<u8, Tally>::new();
    let mut before = ::sled::IVec::default();
    for entry in db.range::<&[u8], _>((Bound::Excluded(META), Bound::Unbounded)) {
        let (stored, entry) = entry.map_err(failed)?;
        let table = stored.first().copied().unwrap_or_default();
        match follows(&stored, &before) {
            Ok((row, 0)) => see(table, row, &entry),
            Ok(_) => {}
            Err(flaw) => {
                let row = key::split(&stored).and_then(|(row, _)| key::parse(row));
                return damaged(table, row.map_or_else(|| stored.to_vec(), |(_, key)| key), flaw);
            }
        }
        found.entry(table).or_default().add(&stored, &entry);
        before = stored;
    }
    for &table in found.keys().chain(meta.tallies.keys()) {
        let tally = |of: &BTreeMap<u8, Tally>| of.get(&table).copied().unwrap_or_default();
        let (found, recorded) = (tally(&found), tally(&meta.tallies));
        if found != recorded {
            let (path, found, recorded) = (dir.to_owned(), found.entries, recorded.entries);
            return Err(match found == recorded {
                true => BaseError::Changed { path, table },
                false => BaseError::Miscounted { path, table, found, recorded },
            });
        }
    }
    Ok(meta)
}

/// The row's address and the chunk's number of a stored key, if it may come after the one before:
/// a row begins with its first chunk.
fn follows<'a>(stored: &'a [u8], before: &[u8]) -> Result<(&'a [u8], u16), Flaw> {
    let (row, number) = key::split(stored).ok_or(Flaw::Key)?;
    match (number, key::split(before)) {
        (0, _) => Ok((row, number)),
        (_, Some((same, last))) if same == row && last.checked_add(1) == Some(number) => {
            Ok((row, number))
        }
        (_, Some((same, _))) if same == row => Err(Flaw::MissingChunk),
        _ => Err(Flaw::NoHead),
    }
}
