//! What each table's test asks: bytes that stay, a way back, and no others that are taken.

use std::fmt::Debug;

use super::{RowError, Table, TableInfo};

/// Checks a key and a row against the bytes that a store may hold, for good.
#[track_caller]
pub(super) fn holds<T>(key: T::Key<'_>, row: T::Row<'_>, key_hex: &str, row_hex: &str)
where
    T: Table,
    for<'a> T::Key<'a>: Debug + PartialEq<T::Key<'a>>,
    for<'a> T::Row<'a>: Debug + PartialEq<T::Row<'a>>,
{
    let (mut key_bytes, mut row_bytes) = (Vec::new(), Vec::new());
    T::put_key(&key, &mut key_bytes);
    T::put_row(&row, &mut row_bytes);
    assert_eq!((hex(&key_bytes), hex(&row_bytes)), (key_hex.to_owned(), row_hex.to_owned()));
    let text = |debug: &dyn Debug| format!("{debug:?}");
    assert_eq!(text(&T::read_key(&key_bytes).unwrap()), text(&key));
    assert_eq!(text(&T::read_row(T::VERSION, &row_bytes).unwrap()), text(&row));
    let info = TableInfo::of(T::ID).unwrap();
    assert_eq!(info.check(T::VERSION, &key_bytes, Some(&row_bytes)), Ok(()));
    let newer = info.check(T::VERSION + 1, &key_bytes, Some(&row_bytes));
    assert!(matches!(newer, Err(RowError::Newer { .. })), "{newer:?}");
    // No cut makes it panic.
    for cut in 0..row_bytes.len() {
        let _ = T::read_row(T::VERSION, &row_bytes[..cut]);
    }
    for cut in 0..key_bytes.len() {
        let _ = T::read_key(&key_bytes[..cut]);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
