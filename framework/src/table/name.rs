//! A name that stored rows say by number: of a topic, a type, a handler, a state.

use super::fields::{Fields, PutField};
use super::{RowError, Table};
use crate::ids::{NameNo, TableId};

/// The longest name.
pub(crate) const NAME_BYTES_MAX: usize = 400;

/// Names by their numbers. A number stands for its name for good; a rename gives another name to the
/// number, so that no other row changes.
#[derive(Debug)]
pub(crate) struct NameTable;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameRow<'a> {
    pub(crate) kind: NameKind,
    pub(crate) name: &'a str,
}

/// The thing that has a name. Names of different kinds never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NameKind {
    Topic,
    Type,
    Handler,
    State,
}

impl NameKind {
    const ALL: [NameKind; 4] =
        [NameKind::Topic, NameKind::Type, NameKind::Handler, NameKind::State];

    fn number(self) -> u8 {
        match self {
            NameKind::Topic => 1,
            NameKind::Type => 2,
            NameKind::Handler => 3,
            NameKind::State => 4,
        }
    }
}

impl Table for NameTable {
    const ID: TableId = TableId(2);
    const NAME: &'static str = "name";
    const VERSION: u8 = 1;
    const KEY_BYTES_MAX: usize = 4;
    const ROW_BYTES_MAX: usize = 1 + NAME_BYTES_MAX;
    type Key<'a> = NameNo;
    type Row<'a> = NameRow<'a>;

    fn put_key(key: &NameNo, out: &mut Vec<u8>) {
        out.key_u32(key.0);
    }

    fn read_key(bytes: &[u8]) -> Result<NameNo, RowError> {
        Fields::only_u32(bytes).map(NameNo)
    }

    fn put_row(row: &NameRow<'_>, out: &mut Vec<u8>) {
        out.push(row.kind.number());
        out.extend_from_slice(row.name.as_bytes());
    }

    fn read_row(_: u8, bytes: &[u8]) -> Result<NameRow<'_>, RowError> {
        let mut fields = Fields::of(bytes);
        let number = fields.byte()?;
        let kind = NameKind::ALL.into_iter().find(|kind| kind.number() == number);
        let unknown = RowError::Value { field: "the kind of a name", value: number.into() };
        Ok(NameRow { kind: kind.ok_or(unknown)?, name: fields.rest_text()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::fixture;

    #[test]
    fn its_bytes_stay() {
        for (kind, hex) in NameKind::ALL.into_iter().zip(["01", "02", "03", "04"]) {
            let row = NameRow { kind, name: "pay" };
            fixture::holds::<NameTable>(NameNo(258), row, "00000102", &format!("{hex}706179"));
        }
        assert!(matches!(NameTable::read_row(1, b"\x05pay"), Err(RowError::Value { .. })));
    }
}
