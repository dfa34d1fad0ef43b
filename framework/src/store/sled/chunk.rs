//! A value in chunks of at most 4 KiB: what sled can hold without files that it never syncs.
//!
//! The first chunk begins with a head: the version of the format (a byte), the value's length
//! and a CRC-32C over table, key and whole value (four bytes each, little endian). The chunks
//! after it are bare: the checksum covers them all.

use thiserror::Error;

/// The longest entry that is handed to sled.
pub(super) const STORED_VALUE_MAX: usize = 4096;

const VERSION: u8 = 1;
const HEAD: usize = 9;
const FIRST: usize = STORED_VALUE_MAX - HEAD;

/// What is wrong with a row that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The stored key is none that this store writes.
    #[error("it is no key that this store writes")]
    Key,
    /// The row's first chunk is not there.
    #[error("its first chunk is missing")]
    NoHead,
    /// The first chunk is too short to hold its head.
    #[error("its head is cut")]
    CutHead,
    /// A newer format, or damage.
    #[error("it has the format version {0}, this program knows 1")]
    Version(u8),
    /// A chunk behind the first is not there, or cut.
    #[error("a chunk is missing or cut")]
    MissingChunk,
    /// There is more than the length in the head.
    #[error("it has more chunks or bytes than its length says")]
    Surplus,
    /// The checksum is not that of the table, key and value.
    #[error("its checksum is wrong")]
    Checksum,
    /// The base's own row, with counts and position, is not there.
    #[error("the base's own row is missing")]
    NoMeta,
}

/// How many bytes of value fit into so many chunks.
pub(super) const fn capacity(chunks: usize) -> usize {
    chunks * STORED_VALUE_MAX - HEAD
}

/// The chunks of a value, the first with its head.
pub(super) fn split(table: u8, key: &[u8], value: &[u8]) -> Vec<Vec<u8>> {
    let (first, rest) = value.split_at_checked(FIRST).unwrap_or((value, &[]));
    let mut head = Vec::with_capacity(HEAD + first.len());
    head.push(VERSION);
    head.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
    head.extend_from_slice(&checksum(table, key, value).to_le_bytes());
    head.extend_from_slice(first);
    let mut chunks = vec![head];
    chunks.extend(rest.chunks(STORED_VALUE_MAX).map(<[u8]>::to_vec));
    chunks
}

/// A value that is put together again, chunk by chunk in their order.
pub(super) struct Assembly {
    length: usize,
    checksum: u32,
    chunks: u16,
    value: Vec<u8>,
}

/// The beginning of a value, of its first chunk.
pub(super) fn beginning(entry: &[u8]) -> Result<&[u8], Flaw> {
    match entry.first() {
        None => return Err(Flaw::CutHead),
        Some(&VERSION) => {}
        Some(&other) => return Err(Flaw::Version(other)),
    }
    entry.get(HEAD..).ok_or(Flaw::CutHead)
}

impl Assembly {
    /// Begins with the entry that should be the first chunk.
    pub(super) fn begin(number: u16, entry: &[u8]) -> Result<Self, Flaw> {
        if number != 0 {
            return Err(Flaw::NoHead);
        }
        match entry.first() {
            None => return Err(Flaw::CutHead),
            Some(&VERSION) => {}
            Some(&other) => return Err(Flaw::Version(other)),
        }
        let Some((&[_, l0, l1, l2, l3, c0, c1, c2, c3], first)) = entry.split_first_chunk::<HEAD>()
        else {
            return Err(Flaw::CutHead);
        };
        let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
        let checksum = u32::from_le_bytes([c0, c1, c2, c3]);
        Ok(Assembly { length, checksum, chunks: 1, value: first.to_vec() })
    }

    /// Adds the next chunk.
    pub(super) fn push(&mut self, number: u16, entry: &[u8]) -> Result<(), Flaw> {
        if number != self.chunks {
            return Err(Flaw::MissingChunk);
        }
        if self.value.len() >= self.length {
            return Err(Flaw::Surplus);
        }
        self.chunks = self.chunks.saturating_add(1);
        self.value.extend_from_slice(entry);
        Ok(())
    }

    /// The whole value, if it is what was written under this table and key.
    pub(super) fn finish(self, table: u8, key: &[u8]) -> Result<Vec<u8>, Flaw> {
        if self.value.len() < self.length {
            return Err(Flaw::MissingChunk);
        }
        if self.value.len() > self.length {
            return Err(Flaw::Surplus);
        }
        if checksum(table, key, &self.value) != self.checksum {
            return Err(Flaw::Checksum);
        }
        Ok(self.value)
    }
}

/// The key's length is covered too, so that no byte can wander between key and value.
fn checksum(table: u8, key: &[u8], value: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&[table]);
    let crc = crc32c::crc32c_append(crc, &(key.len() as u64).to_le_bytes());
    let crc = crc32c::crc32c_append(crc, key);
    crc32c::crc32c_append(crc, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(chunks: &[Vec<u8>]) -> Result<Vec<u8>, Flaw> {
        let mut assembly = Assembly::begin(0, &chunks[0])?;
        for (number, chunk) in (1..).zip(&chunks[1..]) {
            assembly.push(number, chunk)?;
        }
        assembly.finish(7, b"key")
    }

    #[test]
    fn values_of_all_sizes_are_split_and_joined() {
        for length in [0, 1, FIRST - 1, FIRST, FIRST + 1, 4095, 4096, 4097, 100_000, capacity(499)]
        {
            let value: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let chunks = split(7, b"key", &value);
            assert!(chunks.iter().all(|chunk| chunk.len() <= STORED_VALUE_MAX));
            assert!(chunks[1..].iter().all(|chunk| !chunk.is_empty()));
            assert!(
                length <= capacity(chunks.len())
                    && length + STORED_VALUE_MAX > capacity(chunks.len())
            );
            assert_eq!(join(&chunks), Ok(value));
        }
    }

    #[test]
    fn any_flipped_byte_and_any_lost_or_added_chunk_is_found() {
        let chunks = split(7, b"key", &[5; 9000]);
        for (number, chunk) in chunks.iter().enumerate() {
            for at in (0..chunk.len()).step_by(13).chain(0..HEAD.min(chunk.len())) {
                let mut flipped = chunks.clone();
                flipped[number][at] ^= 0x10;
                assert!(join(&flipped).is_err(), "chunk {number}, byte {at}");
            }
        }
        assert_eq!(join(&chunks[..2]), Err(Flaw::MissingChunk));
        let longer = [chunks.clone(), vec![vec![5]]].concat();
        assert_eq!(join(&longer), Err(Flaw::Surplus));
        assert_eq!(Assembly::begin(1, &chunks[0]).err(), Some(Flaw::NoHead));
    }

    /// The format of version 1, for good.
    #[test]
    fn the_head_of_version_1_is_read() {
        let stored = [1, 2, 0, 0, 0, 42, 19, 195, 58, b'h', b'i'];
        assert_eq!(split(7, b"key", b"hi"), [stored]);
        assert_eq!(join(&[stored.to_vec()]), Ok(b"hi".to_vec()));
    }
}
