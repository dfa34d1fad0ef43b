//! What an opening verifies: every key that sled holds, against the base's own row.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;

use super::base::sled_error;
use super::chunk::Flaw;
use super::error::BaseError;
use super::key::{self, META};
use super::meta::{Meta, Tally};

mod pieces;

use pieces::{Piece, pieces};

/// What is shown the first chunk of each row while it is verified. What it makes of them is to be
/// believed once all is verified. Several of them see a part of the rows each.
pub(super) trait Watch: Default + Send + 'static {
    /// Takes in a row: table, the row's address, its first chunk.
    fn see(&mut self, table: u8, row: &[u8], entry: &[u8]);
}

impl Watch for () {
    fn see(&mut self, _: u8, _: &[u8], _: &[u8]) {}
}

/// What was found in a part of the keys.
struct Part<W> {
    tallies: BTreeMap<u8, Tally>,
    watch: W,
}

/// Checks all of sled's keys against the base's own row, and returns that. Large tables are read
/// in several places at once.
pub(super) fn verify<W: Watch>(db: &::sled::Db, dir: &Path) -> Result<(Meta, Vec<W>), BaseError> {
    let meta = match db.get(META).map_err(|source| sled_error("verifying", dir, source))? {
        None => return Err(damaged(dir, 0, META, Flaw::NoMeta)),
        Some(row) => Meta::from_bytes(&row).map_err(|flaw| damaged(dir, 0, META, flaw))?,
    };
    let (mut found, mut watches) = (BTreeMap::<u8, Tally>::new(), Vec::new());
    for part in pieces(db, dir, &meta)?.read(part::<W>)? {
        for (table, tally) in part.tallies {
            found.entry(table).or_default().join(tally);
        }
        watches.push(part.watch);
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
    Ok((meta, watches))
}

/// Checks the keys of a piece, which begins with a row.
fn part<W: Watch>(db: &::sled::Db, dir: &Path, piece: Piece) -> Result<Part<W>, BaseError> {
    let mut part = Part { tallies: BTreeMap::<u8, Tally>::new(), watch: W::default() };
    let mut before = ::sled::IVec::default();
    let from = piece.from.map_or(Bound::Excluded(META.to_vec()), Bound::Included);
    let to = piece.to.map_or(Bound::Unbounded, Bound::Excluded);
    for entry in db.range::<Vec<u8>, _>((from, to)) {
        let (stored, entry) = entry.map_err(|source| sled_error("verifying", dir, source))?;
        let table = stored.first().copied().unwrap_or_default();
        match follows(&stored, &before) {
            Ok((row, 0)) => part.watch.see(table, row, &entry),
            Ok(_) => {}
            Err(flaw) => {
                let row = key::split(&stored).and_then(|(row, _)| key::parse(row));
                let key = row.map_or_else(|| stored.to_vec(), |(_, key)| key);
                return Err(damaged(dir, table, &key, flaw));
            }
        }
        part.tallies.entry(table).or_default().add(&stored, &entry);
        before = stored;
    }
    Ok(part)
}

fn damaged(dir: &Path, table: u8, key: &[u8], flaw: Flaw) -> BaseError {
    BaseError::Damaged { path: dir.to_owned(), table, key: key.to_owned(), flaw }
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
