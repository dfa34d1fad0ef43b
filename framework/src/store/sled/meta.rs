//! The base's own row: how far the journal is checkpointed, and how many entries each table has.
//!
//! It is one row, so that no part of it can be newer than another. Its bytes: version (1),
//! position (8), then tag (1) and count (8) of each table that has entries, then a CRC-32C (4)
//! over all before; numbers little endian. With 255 tables it still fits into one chunk.

use std::collections::BTreeMap;

use super::chunk::Flaw;

const VERSION: u8 = 1;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Meta {
    /// The journal's sequence up to which the base is complete.
    pub(super) position: u64,
    /// The entries (a row's chunks) of each table; a table without any is not in it.
    pub(super) entries: BTreeMap<u8, u64>,
}

impl Meta {
    /// Counts a row that had `old` entries and now has `new`; `None` if so many never were.
    pub(super) fn replace(&mut self, table: u8, old: usize, new: usize) -> Option<()> {
        let (old, new) = (u64::try_from(old).ok()?, u64::try_from(new).ok()?);
        let before = self.entries.get(&table).copied().unwrap_or_default();
        match before.checked_sub(old)?.checked_add(new)? {
            0 => self.entries.remove(&table),
            after => self.entries.insert(table, after),
        };
        Some(())
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.position.to_le_bytes());
        for (&table, &count) in &self.entries {
            bytes.push(table);
            bytes.extend_from_slice(&count.to_le_bytes());
        }
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Flaw> {
        let (body, crc) = bytes.split_last_chunk::<4>().ok_or(Flaw::CutHead)?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return Err(Flaw::Checksum);
        }
        let (&version, rest) = body.split_first().ok_or(Flaw::CutHead)?;
        if version != VERSION {
            return Err(Flaw::Version(version));
        }
        let (position, mut rest) = rest.split_first_chunk::<8>().ok_or(Flaw::CutHead)?;
        let mut entries = BTreeMap::new();
        while !rest.is_empty() {
            let (&[table, count @ ..], after) =
                rest.split_first_chunk::<9>().ok_or(Flaw::CutHead)?;
            entries.insert(table, u64::from_le_bytes(count));
            rest = after;
        }
        Ok(Meta { position: u64::from_le_bytes(*position), entries })
    }
}

#[cfg(test)]
mod tests {
    use super::super::chunk::STORED_VALUE_MAX;
    use super::*;

    #[test]
    fn meta_survives_its_bytes_and_fits_into_one_chunk() {
        let full = Meta { position: u64::MAX, entries: (1..=255).map(|t| (t, u64::MAX)).collect() };
        for meta in [Meta::default(), full] {
            let bytes = meta.to_bytes();
            assert!(bytes.len() <= STORED_VALUE_MAX);
            assert_eq!(Meta::from_bytes(&bytes), Ok(meta));
            for at in 0..bytes.len() {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1;
                assert!(Meta::from_bytes(&flipped).is_err(), "byte {at}");
            }
            assert!(Meta::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        }
    }

    /// The format of version 1, for good.
    #[test]
    fn the_meta_row_of_version_1_is_read() {
        let meta = Meta { position: 258, entries: [(3, 7)].into() };
        let body = [1, 2, 1, 0, 0, 0, 0, 0, 0, 3, 7, 0, 0, 0, 0, 0, 0, 0];
        let stored = [&body[..], &crc32c::crc32c(&body).to_le_bytes()].concat();
        assert_eq!(Meta::from_bytes(&stored), Ok(meta.clone()));
        assert_eq!(meta.to_bytes(), stored);
    }

    #[test]
    fn more_cannot_be_taken_than_was_counted() {
        let mut meta = Meta::default();
        assert_eq!(meta.replace(1, 0, 3), Some(()));
        assert_eq!(meta.replace(1, 4, 0), None);
        assert_eq!(meta.replace(1, 3, 0), Some(()));
        assert_eq!(meta, Meta::default());
    }
}
