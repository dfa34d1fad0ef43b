//! A partition that the service reads, by number.

use super::fields::{Fields, PutField};
use super::{RowError, Table};
use crate::ids::{PartitionIx, TableId};

/// Partitions by their numbers, which stand for them for good.
#[derive(Debug)]
pub(crate) struct PartitionTable;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PartitionRow<'a> {
    pub(crate) cluster: &'a str,
    pub(crate) topic: &'a str,
    /// A topic made anew opens a new incarnation.
    pub(crate) incarnation: u64,
    pub(crate) partition: u32,
}

impl Table for PartitionTable {
    const ID: TableId = TableId(4);
    const NAME: &'static str = "partition";
    const VERSION: u8 = 1;
    const KEY_BYTES_MAX: usize = 4;
    const ROW_BYTES_MAX: usize = 2_048;
    type Key<'a> = PartitionIx;
    type Row<'a> = PartitionRow<'a>;

    fn put_key(key: &PartitionIx, out: &mut Vec<u8>) {
        out.key_u32(key.0);
    }

    fn read_key(bytes: &[u8]) -> Result<PartitionIx, RowError> {
        Fields::only_u32(bytes).map(PartitionIx)
    }

    fn put_row(row: &PartitionRow<'_>, out: &mut Vec<u8>) {
        out.blob(row.cluster.as_bytes());
        out.blob(row.topic.as_bytes());
        out.number(row.incarnation);
        out.number(row.partition.into());
    }

    fn read_row(_: u8, bytes: &[u8]) -> Result<PartitionRow<'_>, RowError> {
        let mut fields = Fields::of(bytes);
        let row = PartitionRow {
            cluster: fields.text()?,
            topic: fields.text()?,
            incarnation: fields.number()?,
            partition: fields.number_u32("a partition")?,
        };
        fields.end().map(|()| row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::fixture;

    #[test]
    fn its_bytes_stay() {
        let row = PartitionRow { cluster: "c", topic: "pay", incarnation: 300, partition: 7 };
        fixture::holds::<PartitionTable>(PartitionIx(1), row, "00000001", "016303706179ac0207");
    }
}
