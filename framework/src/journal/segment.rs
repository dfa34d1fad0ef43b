//! A segment: one file of the journal, its name and its header.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    disk::{Disk, DiskFile},
    error::{At, Damage, JournalError},
    fields::{SECTOR_BYTES, seal, unseal},
};

/// Where the first frame begins: the header has a page of its own.
pub(super) const FRAMES_AT: u64 = 4096;

/// Kind and version of the record.
const KIND: u64 = u64::from_le_bytes(*b"ENDWSEG1");

/// What stands at the beginning of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) store: u64,
    pub(super) number: u64,
    /// Sequence of the first frame.
    pub(super) first: u64,
    /// Hash of the frame before it.
    pub(super) before: u64,
    /// Whether the file held another segment before, whose bytes may stand behind the frames.
    pub(super) origin: Origin,
}

/// Where a segment's file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Fresh,
    Recycled,
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let origin = match self.origin {
            Origin::Fresh => 0,
            Origin::Recycled => 1,
        };
        seal(&[KIND, self.store, self.number, self.first, self.before, origin])
    }

    /// The header of segment `number`, if it is whole and names that segment and this store.
    fn decode(bytes: &[u8], store: u64, number: u64) -> Result<Header, Damage> {
        match unseal::<6>(bytes) {
            Some([KIND, found, _, _, _, _]) if found != store => Err(Damage::OtherStore { found }),
            Some([KIND, _, named, first, before, origin]) if named == number && first > 0 => {
                let origin = if origin == 0 { Origin::Fresh } else { Origin::Recycled };
                Ok(Header { store, number, first, before, origin })
            }
            _ => Err(Damage::Header),
        }
    }

    /// Reads the header of segment `number`.
    pub(super) fn read<D: Disk>(
        disk: &D,
        dir: &Path,
        store: u64,
        number: u64,
    ) -> Result<Result<Header, Damage>, JournalError> {
        let path = path(dir, number);
        let file = disk.open(&path).at("open", &path)?;
        let mut bytes = vec![0; SECTOR_BYTES];
        if file.size().at("read", &path)? < SECTOR_BYTES as u64 {
            return Ok(Err(Damage::Header));
        }
        file.read_at(&mut bytes, 0).at("read", &path)?;
        Ok(Header::decode(&bytes, store, number))
    }
}

/// The file of segment `number`.
pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("segment-{number:012}"))
}

/// The numbers of all segments in a directory, ascending.
pub(super) fn list<D: Disk>(disk: &D, dir: &Path) -> Result<Vec<u64>, JournalError> {
    let names = disk.list(dir).at("list", dir)?;
    let mut numbers: Vec<u64> =
        names.iter().filter_map(|name| name.strip_prefix("segment-")?.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The whole content of a segment.
pub(super) fn read<D: Disk>(disk: &D, dir: &Path, number: u64) -> Result<Vec<u8>, JournalError> {
    let path = path(dir, number);
    let file = disk.open(&path).at("open", &path)?;
    let size = file.size().at("read", &path)?;
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
    file.read_at(&mut bytes, 0).at("read", &path)?;
    Ok(bytes)
}

/// A live segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Segment {
    /// Its number; numbers of live segments are dense.
    pub number: u64,
    /// Sequence of its first frame (or of the next one, if it has none yet).
    pub first: u64,
    /// Bytes up to the end of its last durable frame.
    pub bytes: u64,
}

/// The live segments, shared between the journal and its readers.
#[derive(Clone, Debug, Default)]
pub(super) struct Live(Arc<Mutex<BTreeMap<u64, Segment>>>);

impl Live {
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Segment>> {
        // No code panics while it holds the lock, and every change is a single call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new segment, or new durable bytes of a live one.
    pub(super) fn set(&self, segment: Segment) {
        self.lock().insert(segment.number, segment);
    }
}
