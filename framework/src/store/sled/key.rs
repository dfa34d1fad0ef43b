//! A row's address in sled: the table's tag, the key, an end mark, the number of the chunk.
//!
//! A zero byte in the key is stored as `00 ff` and the end mark is `00 01`. So stored keys sort
//! as the keys do, whatever their lengths, and no key's chunks lie between those of another.

/// The one row of the base itself; no table has the tag 0.
pub(super) const META: &[u8] = &[0];

/// How long a stored key may be.
///
/// sled puts up to 257 keys into one page of its index, and a page above a quarter of a segment
/// into a file of its own, which it never syncs. With keys of this length a page stays far below,
/// and what a batch writes of such pages stays small.
pub(super) const STORED_KEY_MAX: usize = 1024;

const END: [u8; 2] = [0, 1];
const ESCAPED_ZERO: [u8; 2] = [0, 0xff];

/// The address of a row, without the chunk's number.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct RowKey(Vec<u8>);

impl RowKey {
    pub(super) fn new(table: u8, key: &[u8]) -> Self {
        let mut stored = first_from(table, key);
        stored.extend_from_slice(&END);
        RowKey(stored)
    }

    /// The stored key of one chunk.
    pub(super) fn chunk(&self, number: u16) -> Vec<u8> {
        let mut stored = Vec::with_capacity(self.0.len() + 2);
        stored.extend_from_slice(&self.0);
        stored.extend_from_slice(&number.to_be_bytes());
        stored
    }

    /// How long the stored keys of this row are.
    pub(super) fn stored_len(&self) -> usize {
        self.0.len() + 2
    }
}

/// The lowest stored key that a row of `table` with a key of `from` or above can have.
pub(super) fn first_from(table: u8, from: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(from.len() + 8);
    stored.push(table);
    for &byte in from {
        match byte {
            0 => stored.extend_from_slice(&ESCAPED_ZERO),
            other => stored.push(other),
        }
    }
    stored
}

/// Splits a stored key into its row's address and the number of the chunk.
pub(super) fn split(stored: &[u8]) -> Option<(&[u8], u16)> {
    let (row, number) = stored.split_last_chunk::<2>()?;
    (row.len() >= 3 && row.ends_with(&END)).then_some((row, u16::from_be_bytes(*number)))
}

/// The table's tag and the key of a row's address.
pub(super) fn parse(row: &[u8]) -> Option<(u8, Vec<u8>)> {
    let (&table, rest) = row.split_first()?;
    let mut escaped = rest.strip_suffix(&END)?.iter();
    let mut key = Vec::with_capacity(rest.len());
    while let Some(&byte) = escaped.next() {
        if byte == 0 && escaped.next() != Some(&0xff) {
            return None;
        }
        key.push(byte);
    }
    Some((table, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(
            prop_oneof![Just(0u8), Just(1), Just(2), Just(0xfe), Just(0xff)],
            0..6,
        )
    }

    proptest! {
        #[test]
        fn stored_keys_sort_as_rows_and_chunks_do(
            a in (1u8..4, key(), any::<u16>()),
            b in (1u8..4, key(), any::<u16>()),
        ) {
            let stored = |(table, key, chunk): &(u8, Vec<u8>, u16)| {
                RowKey::new(*table, key).chunk(*chunk)
            };
            prop_assert_eq!(stored(&a).cmp(&stored(&b)), a.cmp(&b));
            let lowest = first_from(b.0, &b.1);
            prop_assert_eq!(stored(&a) >= lowest, (a.0, &a.1) >= (b.0, &b.1));
        }

        #[test]
        fn a_stored_key_is_read_back(table in 1u8.., key in key(), chunk: u16) {
            let stored = RowKey::new(table, &key).chunk(chunk);
            let (row, number) = split(&stored).unwrap();
            prop_assert_eq!(number, chunk);
            prop_assert_eq!(parse(row), Some((table, key)));
        }
    }
}
