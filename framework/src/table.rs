//! Durable facts, one a file: key and row of a table, their bytes, their limits, a fixture.
//!
//! Log, base, memory store and any other store are loops over these: a new table is a file here and
//! a line in [`TABLES`]. A number of a table is never used again; neither is a version of one.
//!
//! A row is absolute: a put says what stands from then on, so that applying one twice is applying it
//! once. Each table has a version of its own. A row of an older version is read; one of a newer
//! version is refused by name.

pub(crate) mod cursor;
pub(crate) mod delivery;
pub(crate) mod failure;
pub(crate) mod fields;
pub(crate) mod frame;
pub(crate) mod message;
pub(crate) mod name;
pub(crate) mod partition;
pub(crate) mod pending;
pub(crate) mod sent;
pub(crate) mod sequence;
pub(crate) mod settled;
pub(crate) mod state;
pub(crate) mod stream;

#[cfg(test)]
mod fixture;

use crate::ids::TableId;

/// One durable fact.
pub(crate) trait Table {
    /// The table's number, for good.
    const ID: TableId;
    /// The table's name, for people.
    const NAME: &'static str;
    /// The version in which rows are written.
    const VERSION: u8;
    /// The most bytes of a key, and of a row.
    const KEY_BYTES_MAX: usize;
    const ROW_BYTES_MAX: usize;
    type Key<'a>;
    type Row<'a>;

    /// Writes a key, so that the order of the bytes is the order of the keys.
    fn put_key(key: &Self::Key<'_>, out: &mut Vec<u8>);

    /// Reads a key.
    fn read_key(bytes: &[u8]) -> Result<Self::Key<'_>, RowError>;

    /// Writes a row in [`VERSION`](Table::VERSION).
    fn put_row(row: &Self::Row<'_>, out: &mut Vec<u8>);

    /// Reads a row of a version that [`check_version`] lets pass.
    fn read_row(version: u8, bytes: &[u8]) -> Result<Self::Row<'_>, RowError>;
}

/// Bytes that are no key or no row of their table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RowError {
    /// The bytes end within a field.
    #[error("it ends within a field")]
    Short,
    /// Bytes are left behind the last field.
    #[error("{0} bytes are left behind its last field")]
    Long(usize),
    /// A text is not UTF-8.
    #[error("a text in it is not UTF-8")]
    Text,
    /// A field has a value that its type lacks.
    #[error("{field} cannot be {value}")]
    Value {
        /// The field.
        field: &'static str,
        /// The value.
        value: u64,
    },
    /// A row is missing that another one says is there.
    #[error("a row is missing that another one says is there")]
    Missing,
    /// The row is above the table's limit.
    #[error("it has {bytes} bytes, {most} is the limit of table {table}")]
    Size {
        /// The table.
        table: &'static str,
        /// The bytes of the key or of the row.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// A later endwise wrote the row.
    #[error(
        "table {table} has version {version}, this endwise knows versions 1 to {known}: use the \
         endwise that wrote it, or a later one"
    )]
    Newer {
        /// The table.
        table: &'static str,
        /// The version of the row.
        version: u8,
        /// The latest version that this code knows.
        known: u8,
    },
    /// No table has that number.
    #[error("no table has number {0}: a later endwise wrote it")]
    Table(u8),
}

/// Refuses a row of a version that this code does not know.
pub(crate) fn check_version<T: Table>(version: u8) -> Result<(), RowError> {
    if (1..=T::VERSION).contains(&version) {
        return Ok(());
    }
    Err(RowError::Newer { table: T::NAME, version, known: T::VERSION })
}

/// A table without its types.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableInfo {
    pub(crate) id: TableId,
    check: Check,
}

/// Checks the version, the key, and the row, if there is one.
type Check = fn(u8, &[u8], Option<&[u8]>) -> Result<(), RowError>;

impl TableInfo {
    /// The table of that number.
    pub(crate) fn of(id: TableId) -> Result<&'static TableInfo, RowError> {
        TABLES.iter().find(|table| table.id == id).ok_or(RowError::Table(id.0))
    }

    /// Reads a key, and its row, if there is one, and checks their sizes.
    pub(crate) fn check(
        &self,
        version: u8,
        key: &[u8],
        row: Option<&[u8]>,
    ) -> Result<(), RowError> {
        (self.check)(version, key, row)
    }
}

fn check<T: Table>(version: u8, key: &[u8], row: Option<&[u8]>) -> Result<(), RowError> {
    check_version::<T>(version)?;
    let row_bytes = row.map_or(0, <[u8]>::len);
    for (bytes, most) in [(key.len(), T::KEY_BYTES_MAX), (row_bytes, T::ROW_BYTES_MAX)] {
        if bytes > most {
            return Err(RowError::Size { table: T::NAME, bytes, most });
        }
    }
    T::read_key(key)?;
    row.map_or(Ok(()), |row| T::read_row(version, row).map(drop))
}

macro_rules! tables {
    ($($table:ty),* $(,)?) => {
        /// All tables.
        pub(crate) const TABLES: &[TableInfo] = &[$(TableInfo {
            id: <$table>::ID,
            check: check::<$table>,
        }),*];
    };
}

tables![
    state::StateTable,
    name::NameTable,
    stream::StreamTable,
    partition::PartitionTable,
    cursor::CursorTable,
    pending::PendingTable,
    delivery::DeliveryTable,
    message::MessageTable,
    failure::FailureTable,
    sequence::SequenceTable,
];

/// A number that two tables have does not compile.
const _: () = {
    let mut rest = TABLES;
    while let [first, others @ ..] = rest {
        let mut others = others;
        while let [other, more @ ..] = others {
            assert!(first.id.0 != other.id.0, "two tables have one number");
            others = more;
        }
        rest = match rest {
            [_, rest @ ..] => rest,
            [] => &[],
        };
    }
};

#[cfg(test)]
mod tests {
    use super::state::{StateKey, StateRow, StateTable};
    use super::*;
    use crate::ids::NameNo;

    #[test]
    fn a_row_of_a_newer_endwise_and_one_above_its_limit_are_refused_by_name() {
        let (mut key, mut row) = (Vec::new(), Vec::new());
        StateTable::put_key(&StateKey { state: NameNo(1), key: "ada" }, &mut key);
        StateTable::put_row(&StateRow { schema: 1, json: b"{}" }, &mut row);
        let table = TableInfo::of(StateTable::ID).unwrap();
        assert_eq!(table.check(1, &key, Some(&row)), Ok(()));
        assert_eq!(table.check(1, &key, None), Ok(()));
        let newer = table.check(StateTable::VERSION + 1, &key, Some(&row)).unwrap_err();
        assert_eq!(
            newer.to_string(),
            "table state has version 2, this endwise knows versions 1 to 1: use the endwise that \
             wrote it, or a later one"
        );
        let long = table.check(1, &key, Some(&vec![1; StateTable::ROW_BYTES_MAX + 1]));
        assert!(matches!(long, Err(RowError::Size { table: "state", .. })), "{long:?}");
        assert_eq!(TableInfo::of(TableId(255)).unwrap_err(), RowError::Table(255));
    }
}
