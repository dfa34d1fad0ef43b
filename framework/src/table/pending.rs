//! Handlers that are left of a position of which some are done.

use super::fields::{Fields, PutField};
use super::{RowError, Table};
use crate::ids::{NameNo, Position, StreamIx, TableId};

/// The most handlers of one type.
pub(crate) const HANDLERS_MAX: usize = 256;

/// The handlers that are left, by position. A row is there only while a part is done: of a position
/// of which nothing is done, the cursor brings the record again.
#[derive(Debug)]
pub(crate) struct PendingTable;

/// Handlers by their names' numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingRow(pub(crate) Vec<NameNo>);

/// Writes the key of a position.
pub(super) fn put_position(position: Position, out: &mut Vec<u8>) {
    out.key_u32(position.stream.0);
    out.key_u64(position.sequence);
}

/// Reads the key of a position.
pub(super) fn read_position(fields: &mut Fields<'_>) -> Result<Position, RowError> {
    Ok(Position { stream: StreamIx(fields.key_u32()?), sequence: fields.key_u64()? })
}

impl Table for PendingTable {
    const ID: TableId = TableId(6);
    const NAME: &'static str = "pending";
    const VERSION: u8 = 1;
    const KEY_BYTES_MAX: usize = 12;
    const ROW_BYTES_MAX: usize = 5 * HANDLERS_MAX;
    type Key<'a> = Position;
    type Row<'a> = PendingRow;

    fn put_key(key: &Position, out: &mut Vec<u8>) {
        put_position(*key, out);
    }

    fn read_key(bytes: &[u8]) -> Result<Position, RowError> {
        let mut fields = Fields::of(bytes);
        let position = read_position(&mut fields)?;
        fields.end().map(|()| position)
    }

    fn put_row(row: &PendingRow, out: &mut Vec<u8>) {
        row.0.iter().for_each(|handler| out.number(handler.0.into()));
    }

    fn read_row(_: u8, bytes: &[u8]) -> Result<PendingRow, RowError> {
        let (mut fields, mut left) = (Fields::of(bytes), Vec::new());
        while !fields.is_empty() {
            left.push(NameNo(fields.number_u32("a handler")?));
        }
        Ok(PendingRow(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::fixture;

    #[test]
    fn its_bytes_stay() {
        let position = Position { stream: StreamIx(513), sequence: 9 };
        let row = PendingRow(vec![NameNo(1), NameNo(300)]);
        fixture::holds::<PendingTable>(position, row, "000002010000000000000009", "01ac02");
    }
}
