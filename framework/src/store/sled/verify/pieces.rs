//! The keys of a base in pieces that are read at once, each by a thread that ends with it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use crate::store::sled::base::sled_error;
use crate::store::sled::error::BaseError;
use crate::store::sled::key;
use crate::store::sled::meta::Meta;
use crate::store::sled::panic::caught;
use crate::tasks::thread;

/// The entries from which a table is read in several places at once.
const ENTRIES_MIN: u64 = 50_000;

/// How often such a table is halved.
const HALVINGS: u32 = 5;

/// How many threads read at once, at most.
const THREADS_MAX: usize = 4;

/// Keys from the first row's on, up to the next piece's first row.
#[derive(Clone, Debug, Default)]
pub(super) struct Piece {
    pub(super) from: Option<Vec<u8>>,
    pub(super) to: Option<Vec<u8>>,
}

/// All keys.
pub(super) struct Pieces {
    db: ::sled::Db,
    dir: PathBuf,
    pieces: Vec<Piece>,
    next: AtomicUsize,
}

/// How a piece is read.
type Read<T> = fn(&::sled::Db, &Path, Piece) -> Result<T, BaseError>;

/// Cuts the keys into pieces, large tables into many. How even the pieces are matters to the time
/// alone; together they are all keys, whatever the cuts.
pub(super) fn pieces(db: &::sled::Db, dir: &Path, meta: &Meta) -> Result<Pieces, BaseError> {
    let mut cuts = Vec::new();
    for (&table, tally) in &meta.tallies {
        if let Some(after) = table.checked_add(1).filter(|_| tally.entries >= ENTRIES_MIN) {
            let cut = cut(db, &[table], &[after]);
            cuts.extend(cut.map_err(|source| sled_error("verifying", dir, source))?);
        }
    }
    cuts.sort_unstable();
    cuts.dedup();
    let to = cuts.iter().cloned().map(Some).chain([None]);
    let from = [None].into_iter().chain(cuts.iter().cloned().map(Some));
    let pieces = from.zip(to).map(|(from, to)| Piece { from, to }).collect();
    Ok(Pieces { db: db.clone(), dir: dir.to_owned(), pieces, next: AtomicUsize::new(0) })
}

/// Where rows begin that lie about half-way between the first and the last one, and between these
/// again. Each half is taken from its own first row to its last: few keys far away cost little.
fn cut(db: &::sled::Db, from: &[u8], to: &[u8]) -> ::sled::Result<Vec<Vec<u8>>> {
    let mut range = db.range(from..to);
    let (Some(first), Some(last)) = (range.next(), range.next_back()) else {
        return Ok(Vec::new());
    };
    let mut cuts = Vec::new();
    let mut spans: Vec<_> = row(&first?.0).zip(row(&last?.0)).into_iter().collect();
    for _ in 0..HALVINGS {
        let mut halves = Vec::with_capacity(spans.len() * 2);
        for (low, high) in spans {
            let Some(entry) = db.range(middle(&low, &high)..to.to_vec()).next() else { continue };
            let Some(behind) = row(&entry?.0).filter(|row| *row > low && *row <= high) else {
                continue;
            };
            if let Some(before) = db.get_lt(&behind)?.and_then(|(key, _)| row(&key)) {
                halves.push((low, before));
            }
            cuts.push(behind.clone());
            halves.push((behind, high));
        }
        spans = halves;
    }
    Ok(cuts)
}

/// The address of the row that a stored key belongs to. No row lies on both sides of one.
fn row(stored: &[u8]) -> Option<Vec<u8>> {
    key::split(stored).map(|(row, _)| row.to_vec())
}

/// A key about half-way between two, by the eight bytes from where they differ.
fn middle(low: &[u8], high: &[u8]) -> Vec<u8> {
    let same = low.iter().zip(high).take_while(|(one, other)| one == other).count();
    let number = |key: &[u8]| {
        let mut bytes = [0; 8];
        bytes.iter_mut().zip(key.iter().skip(same)).for_each(|(to, from)| *to = *from);
        u64::from_be_bytes(bytes)
    };
    let middle = number(low).midpoint(number(high));
    [low.get(..same).unwrap_or_default(), &middle.to_be_bytes()].concat()
}

impl Pieces {
    /// Reads all pieces; what came of them, in their order, or the first error.
    pub(super) fn read<T: Send + 'static>(self, read: Read<T>) -> Result<Vec<T>, BaseError> {
        let threads = available_parallelism().map_or(1, NonZeroUsize::get).min(THREADS_MAX);
        let others = threads.min(self.pieces.len()) - 1;
        let pieces = Arc::new(self);
        let others: Vec<_> = (0..others)
            .filter_map(|_| {
                let pieces = Arc::clone(&pieces);
                // Without another thread this one reads more.
                thread("endwise-verify", move || pieces.work(read)).ok()
            })
            .collect();
        let mut parts = pieces.work(read);
        for other in others {
            // A panic is caught within, and is an error.
            parts.extend(other.join().unwrap_or_default());
        }
        match parts.len() == pieces.pieces.len() {
            true => parts.into_values().collect(),
            false => Err(BaseError::Panicked {
                doing: "verifying",
                path: pieces.dir.clone(),
                message: "a thread died".into(),
            }),
        }
    }

    /// Reads pieces until there are no more.
    fn work<T>(&self, read: Read<T>) -> BTreeMap<usize, Result<T, BaseError>> {
        let mut parts = BTreeMap::new();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = self.pieces.get(number).cloned() else { return parts };
            parts.insert(
                number,
                caught("verifying", &self.dir, || read(&self.db, &self.dir, piece)),
            );
        }
    }
}
