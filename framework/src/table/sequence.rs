//! The last sequence of an outgoing stream.

use super::fields::{Fields, PutField};
use super::{RowError, Table};
use crate::ids::{NameNo, TableId};

/// The last sequence that was assigned, by topic and slot.
#[derive(Debug)]
pub(crate) struct SequenceTable;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SequenceKey {
    pub(crate) topic: NameNo,
    pub(crate) slot: u8,
}

impl Table for SequenceTable {
    const ID: TableId = TableId(10);
    const NAME: &'static str = "sequence";
    const VERSION: u8 = 1;
    const KEY_BYTES_MAX: usize = 5;
    const ROW_BYTES_MAX: usize = 10;
    type Key<'a> = SequenceKey;
    type Row<'a> = u64;

    fn put_key(key: &SequenceKey, out: &mut Vec<u8>) {
        out.key_u32(key.topic.0);
        out.push(key.slot);
    }

    fn read_key(bytes: &[u8]) -> Result<SequenceKey, RowError> {
        let mut fields = Fields::of(bytes);
        let key = SequenceKey { topic: NameNo(fields.key_u32()?), slot: fields.byte()? };
        fields.end().map(|()| key)
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
        let key = SequenceKey { topic: NameNo(2), slot: 255 };
        fixture::holds::<SequenceTable>(key, 300, "00000002ff", "ac02");
    }
}
