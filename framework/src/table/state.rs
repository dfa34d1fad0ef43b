//! The state of a key.

use super::fields::{Fields, PutField};
use super::{RowError, Table};
use crate::ids::{NameNo, TableId};
use crate::stream::KEY_BYTES_MAX;

/// The largest value of a state, with its schema.
pub(crate) const STATE_BYTES_MAX: usize = 1_250_000;

/// States by the number of their name, and key.
#[derive(Debug)]
pub(crate) struct StateTable;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StateKey<'a> {
    pub(crate) state: NameNo,
    pub(crate) key: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StateRow<'a> {
    /// The version of the user's type.
    pub(crate) schema: u32,
    pub(crate) json: &'a [u8],
}

impl Table for StateTable {
    const ID: TableId = TableId(1);
    const NAME: &'static str = "state";
    const VERSION: u8 = 1;
    const KEY_BYTES_MAX: usize = 4 + KEY_BYTES_MAX;
    const ROW_BYTES_MAX: usize = STATE_BYTES_MAX;
    type Key<'a> = StateKey<'a>;
    type Row<'a> = StateRow<'a>;

    fn put_key(key: &StateKey<'_>, out: &mut Vec<u8>) {
        out.key_u32(key.state.0);
        out.extend_from_slice(key.key.as_bytes());
    }

    fn read_key(bytes: &[u8]) -> Result<StateKey<'_>, RowError> {
        let mut fields = Fields::of(bytes);
        Ok(StateKey { state: NameNo(fields.key_u32()?), key: fields.rest_text()? })
    }

    fn put_row(row: &StateRow<'_>, out: &mut Vec<u8>) {
        out.number(row.schema.into());
        out.extend_from_slice(row.json);
    }

    fn read_row(_: u8, bytes: &[u8]) -> Result<StateRow<'_>, RowError> {
        let mut fields = Fields::of(bytes);
        Ok(StateRow { schema: fields.number_u32("a state's schema")?, json: fields.rest() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::fixture;

    #[test]
    fn its_bytes_stay() {
        let key = StateKey { state: NameNo(3), key: "ada" };
        let row = StateRow { schema: 2, json: br#"{"n":1}"# };
        fixture::holds::<StateTable>(key, row, "00000003616461", "027b226e223a317d");
    }
}
