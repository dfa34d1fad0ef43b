//! Reading what is durable, beside the writer.

use std::path::PathBuf;

use super::{
    Place, RealDisk,
    disk::{Disk, DiskFile},
    error::{At, Damage, JournalError},
    frame,
    segment::{self, Live},
};

/// Reads durable bytes of live segments, from any thread, while the journal goes on.
#[derive(Clone, Debug)]
pub struct Reader<D: Disk = RealDisk> {
    pub(super) disk: D,
    pub(super) dir: PathBuf,
    pub(super) store: u64,
    pub(super) live: Live,
}

impl<D: Disk> Reader<D> {
    /// Reads `length` bytes of a segment's file, as they are: part of a payload, for example.
    ///
    /// Bytes that are not durable, or whose segment was released (even meanwhile), are
    /// [`JournalError::NotLive`]. The bytes are not checked; [`payload`](Self::payload) checks.
    pub fn read(&self, segment: u64, offset: u64, length: u64) -> Result<Vec<u8>, JournalError> {
        let not_live = JournalError::NotLive { segment, offset, length };
        let end = offset.checked_add(length);
        let is_live = || {
            self.live
                .lock()
                .get(&segment)
                .is_some_and(|live| end.is_some_and(|end| end <= live.bytes))
        };
        if !is_live() {
            return Err(not_live);
        }
        let path = segment::path(&self.dir, segment);
        let bytes = self.disk.open(&path).and_then(|file| {
            let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
            file.read_at(&mut bytes, offset)?;
            Ok(bytes)
        });
        // A segment stops being live before its file is renamed and written again. So bytes that
        // were read while it was live to the end are its own; and an error only counts then.
        if !is_live() {
            return Err(not_live);
        }
        bytes.at("read", &path)
    }

    /// Reads and checks the payload of a frame.
    pub fn payload(&self, place: Place) -> Result<Vec<u8>, JournalError> {
        let Place { sequence, segment, offset, length } = place;
        let header_bytes = frame::HEADER_BYTES as u64;
        let Some(start) = offset.checked_sub(header_bytes) else {
            return Err(JournalError::NotLive { segment, offset, length });
        };
        let mut bytes = self.read(segment, start, length.saturating_add(header_bytes))?;
        match frame::decode(&bytes, self.store) {
            Some(intact)
                if intact.header.sequence == sequence && intact.payload.len() as u64 == length =>
            {
                bytes.drain(..frame::HEADER_BYTES);
                Ok(bytes)
            }
            _ => {
                let path = segment::path(&self.dir, segment);
                Err(JournalError::damaged(path, start, Damage::Frame { sequence }))
            }
        }
    }
}
