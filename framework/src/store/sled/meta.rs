//! The base's own row: how far the journal is checkpointed, and a tally of each table.
//!
//! It is one row, so that no part of it can be newer than another. Its bytes: version (1),
//! position (8), then tag (1), count (6) and sum (8) of each table that has entries, then a
//! CRC-32C (4) over all before; numbers little endian. With 255 tables it still fits into one
//! chunk.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::chunk::Flaw;

const VERSION: u8 = 1;

/// How many entries (a row's chunks) there are, and the sum of their hashes.
///
/// The sum finds what a count cannot: damage in sled's log can bring a page back as it was
/// before its last change, with as many rows and each of them intact. It is a sum so that it
/// follows each change without reading the rest of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) entries: u64,
    sum: u64,
}

impl Tally {
    /// Takes one more entry in.
    pub(super) fn add(&mut self, stored: &[u8], entry: &[u8]) {
        self.entries += 1;
        self.sum = self.sum.wrapping_add(xxh3_64_with_seed(entry, xxh3_64(stored)));
    }

    /// Takes in what was found elsewhere.
    pub(super) fn join(&mut self, other: Tally) {
        self.entries += other.entries;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Meta {
    /// The journal's sequence up to which the base is complete.
    pub(super) position: u64,
    /// The tally of each table; a table without entries is not in it.
    pub(super) tallies: BTreeMap<u8, Tally>,
}

impl Meta {
    /// Replaces a row's old entries by its new ones; `None` if so many old ones never were.
    pub(super) fn replace(&mut self, table: u8, old: Tally, new: Tally) -> Option<()> {
        let before = self.tallies.get(&table).copied().unwrap_or_default();
        let after = Tally {
            entries: before.entries.checked_sub(old.entries)?.checked_add(new.entries)?,
            sum: before.sum.wrapping_sub(old.sum).wrapping_add(new.sum),
        };
        match after.entries {
            0 => self.tallies.remove(&table),
            _ => self.tallies.insert(table, after),
        };
        Some(())
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.position.to_le_bytes());
        for (&table, tally) in &self.tallies {
            // Six bytes: sled cannot hold 2^48 entries.
            let [count @ .., _, _] = tally.entries.to_le_bytes();
            bytes.push(table);
            bytes.extend_from_slice(&count);
            bytes.extend_from_slice(&tally.sum.to_le_bytes());
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
        let mut tallies = BTreeMap::new();
        while !rest.is_empty() {
            let (&[table, c0, c1, c2, c3, c4, c5, sum @ ..], after) =
                rest.split_first_chunk::<15>().ok_or(Flaw::CutHead)?;
            let entries = u64::from_le_bytes([c0, c1, c2, c3, c4, c5, 0, 0]);
            tallies.insert(table, Tally { entries, sum: u64::from_le_bytes(sum) });
            rest = after;
        }
        Ok(Meta { position: u64::from_le_bytes(*position), tallies })
    }
}

#[cfg(test)]
mod tests {
    use super::super::chunk::STORED_VALUE_MAX;
    use super::*;

    #[test]
    fn meta_survives_its_bytes_and_fits_into_one_chunk() {
        let most = Tally { entries: (1 << 48) - 1, sum: u64::MAX };
        let full = Meta { position: u64::MAX, tallies: (1..=255).map(|t| (t, most)).collect() };
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
        let mut tally = Tally::default();
        tally.add(b"key", b"entry");
        let meta = Meta { position: 258, tallies: [(3, tally)].into() };
        let sum = [206, 248, 254, 26, 55, 212, 109, 242];
        let body = [&[1, 2, 1, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0, 0, 0][..], &sum].concat();
        let stored = [&body[..], &crc32c::crc32c(&body).to_le_bytes()].concat();
        assert_eq!(meta.to_bytes(), stored);
        assert_eq!(Meta::from_bytes(&stored), Ok(meta));
    }

    #[test]
    fn a_tally_follows_changes_in_any_order() {
        let tally = |entries: &[(&[u8], &[u8])]| {
            let mut tally = Tally::default();
            entries.iter().for_each(|(stored, entry)| tally.add(stored, entry));
            tally
        };
        let mut meta = Meta::default();
        let (a, b, c) = ((&b"a"[..], &b"1"[..]), (&b"b"[..], &b"2"[..]), (&b"b"[..], &b"1"[..]));
        assert_eq!(meta.replace(1, Tally::default(), tally(&[a, b])), Some(()));
        assert_eq!(meta.tallies[&1], tally(&[b, a]));
        assert_eq!(meta.replace(1, tally(&[b]), tally(&[c])), Some(()));
        assert_eq!(meta.tallies[&1], tally(&[a, c]));
        assert_ne!(meta.tallies[&1], tally(&[a, b]), "the same count, another content");
        assert_eq!(meta.replace(1, tally(&[a, b, c]), Tally::default()), None);
        assert_eq!(meta.replace(1, tally(&[a, c]), Tally::default()), Some(()));
        assert_eq!(meta, Meta::default());
    }
}
