//! The rows of a table, read page by page.

use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::{Arc, PoisonError};

use super::base::Inner;
use super::chunk::{Assembly, Flaw};
use super::error::BaseError;
use super::key;

/// A page ends at so many rows, or once it has so many bytes: it bounds the memory of a scan,
/// and for how long a scan holds up a checkpoint.
const PAGE_ROWS: usize = 256;
const PAGE_BYTES: usize = 256 << 10;

type Row = (Vec<u8>, Vec<u8>);

/// See [`Base::scan`](super::base::Base::scan).
pub(super) struct Rows {
    inner: Arc<Inner>,
    table: u8,
    /// The stored key at which the next page begins; `None` after the last page or an error.
    next: Option<Vec<u8>>,
    page: VecDeque<Row>,
}

impl Rows {
    pub(super) fn new(inner: Arc<Inner>, table: u8, from: &[u8]) -> Self {
        Rows { inner, table, next: Some(key::first_from(table, from)), page: VecDeque::new() }
    }

    /// Reads the rows from `start`, and where the page after them begins.
    fn read(&self, start: Vec<u8>) -> Result<(VecDeque<Row>, Option<Vec<u8>>), BaseError> {
        if self.table == 0 {
            return Err(BaseError::ReservedTable);
        }
        self.inner.guarded("scanning", |inner, db| {
            let _unchanged = inner.applying.read().unwrap_or_else(PoisonError::into_inner);
            let end = match self.table.checked_add(1) {
                Some(table) => Bound::Excluded(vec![table]),
                None => Bound::Unbounded,
            };
            let (mut page, mut bytes) = (VecDeque::new(), 0);
            let mut open: Option<Open> = None;
            for entry in db.range::<Vec<u8>, _>((Bound::Included(start), end)) {
                let (stored, entry) = entry.map_err(|source| inner.failed("scanning", source))?;
                let Some((row, number)) = key::split(&stored) else {
                    return Err(inner.damaged(self.table, &stored, Flaw::Key));
                };
                if let Some(open) = open.as_mut().filter(|open| open.row == row) {
                    open.push(inner, number, &entry)?;
                    continue;
                }
                if let Some(done) = open.take() {
                    let row = done.finish(inner)?;
                    bytes += row.0.len() + row.1.len();
                    page.push_back(row);
                    if page.len() >= PAGE_ROWS || bytes >= PAGE_BYTES {
                        return Ok((page, Some(stored.to_vec())));
                    }
                }
                open = Some(Open::begin(inner, row, number, &entry)?);
            }
            if let Some(done) = open {
                page.push_back(done.finish(inner)?);
            }
            Ok((page, None))
        })
    }
}

impl Iterator for Rows {
    type Item = Result<Row, BaseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty() {
            let start = self.next.take()?;
            match self.read(start) {
                Ok((page, next)) => (self.page, self.next) = (page, next),
                Err(error) => return Some(Err(error)),
            }
        }
        self.page.pop_front().map(Ok)
    }
}

/// A row of which more chunks may follow.
struct Open {
    row: Vec<u8>,
    table: u8,
    key: Vec<u8>,
    assembly: Assembly,
}

impl Open {
    fn begin(inner: &Inner, row: &[u8], number: u16, entry: &[u8]) -> Result<Self, BaseError> {
        let Some((table, key)) = key::parse(row) else {
            return Err(inner.damaged(row.first().copied().unwrap_or_default(), row, Flaw::Key));
        };
        match Assembly::begin(number, entry) {
            Ok(assembly) => Ok(Open { row: row.to_vec(), table, key, assembly }),
            Err(flaw) => Err(inner.damaged(table, &key, flaw)),
        }
    }

    fn push(&mut self, inner: &Inner, number: u16, entry: &[u8]) -> Result<(), BaseError> {
        let pushed = self.assembly.push(number, entry);
        pushed.map_err(|flaw| inner.damaged(self.table, &self.key, flaw))
    }

    fn finish(self, inner: &Inner) -> Result<Row, BaseError> {
        match self.assembly.finish(self.table, &self.key) {
            Ok(value) => Ok((self.key, value)),
            Err(flaw) => Err(inner.damaged(self.table, &self.key, flaw)),
        }
    }
}
