//! The offset below which a partition is done.

use super::fields::{Fields, PutField};
use super::{RowError, Table};
use crate::ids::{PartitionIx, TableId};

/// The offset of each partition below which every record is done: there the service reads on.
#[derive(Debug)]
pub(crate) struct CursorTable;

impl Table for CursorTable {
    const ID: TableId = TableId(5);
    const NAME: &'static str = "cursor";
    const VERSION: u8 = 1;
    const KEY_BYTES_MAX: usize = 4;
    const ROW_BYTES_MAX: usize = 10;
    type Key<'a> = PartitionIx;
    type Row<'a> = u64;

    fn put_key(key: &PartitionIx, out: &mut Vec<u8>) {
        out.key_u32(key.0);
    }

    fn read_key(bytes: &[u8]) -> Result<PartitionIx, RowError> {
        Fields::only_u32(bytes).map(PartitionIx)
    }

    fn put_row(row: &u64, out: &mut Vec<u8>) {
        out.number(*row);
    }

    fn read_row(_: u8, bytes: &[u8]) -> Result<u64, RowError> {
        Fields::only_number(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::fixture;

    #[test]
    fn its_bytes_stay() {
        fixture::holds::<CursorTable>(PartitionIx(2), 300, "00000002", "ac02");
    }
}
