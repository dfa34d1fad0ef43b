//! `HEAD`: a small file that says up to where the journal is durable.
//!
//! It has two slots of 4 KiB, each with a record that fits in one sector. The slot that was synced
//! last is not touched until the other is synced, so that one readable record is always on disk.

use std::path::{Path, PathBuf};

use super::{
    disk::{Disk, DiskFile},
    error::{At, Damage, JournalError},
    fields::{SECTOR_BYTES, seal, unseal},
};

const SLOT_BYTES: u64 = 4096;

/// Kind and version of the record.
const KIND: u64 = u64::from_le_bytes(*b"ENDWHED1");

/// What `HEAD` says. Each statement was true on the disk before it was written here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The newest segment whose header is durable.
    pub(super) newest: u64,
    /// The first segment that is still needed.
    pub(super) first_live: u64,
    /// The last durable sequence.
    pub(super) durable: u64,
    /// Hash of that frame.
    pub(super) hash: u64,
}

/// The open file.
#[derive(Debug)]
pub(super) struct Head<F> {
    file: F,
    path: PathBuf,
    store: u64,
    /// Counts records; the readable slot with the higher one is believed.
    generation: u64,
    last: Record,
    /// The slot that is written now; the other one is synced.
    running: u64,
    written: Written,
}

/// Whether the running slot was written since it became the running one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    No,
    Yes,
}

impl<F: DiskFile> Head<F> {
    pub(super) fn create<D: Disk<File = F>>(
        disk: &D,
        dir: &Path,
        store: u64,
        record: Record,
    ) -> Result<(), JournalError> {
        let path = dir.join("HEAD");
        let file = disk.create(&path).at("create", &path)?;
        for slot in 0..2 {
            file.write_at(&encode(store, slot, record), slot * SLOT_BYTES).at("write", &path)?;
        }
        file.sync().at("sync", &path)
    }

    /// Opens `HEAD` and reads the slot that is to be believed. Changes nothing.
    pub(super) fn open<D: Disk<File = F>>(
        disk: &D,
        dir: &Path,
        store: u64,
    ) -> Result<Self, JournalError> {
        let path = dir.join("HEAD");
        let file = match disk.open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(JournalError::damaged(path, 0, Damage::Missing));
            }
            other => other.at("open", &path)?,
        };
        let size = file.size().at("read", &path)?;
        let mut believed: Option<(u64, u64, Record)> = None;
        for slot in 0..2 {
            if size < slot * SLOT_BYTES + SECTOR_BYTES as u64 {
                continue;
            }
            let mut bytes = vec![0; SECTOR_BYTES];
            file.read_at(&mut bytes, slot * SLOT_BYTES).at("read", &path)?;
            match unseal::<7>(&bytes) {
                Some([KIND, found, _, _, _, _, _]) if found != store => {
                    let reason = Damage::OtherStore { found };
                    return Err(JournalError::damaged(path, slot * SLOT_BYTES, reason));
                }
                Some([KIND, _, generation, newest, first_live, durable, hash])
                    if believed.is_none_or(|(best, ..)| best < generation) =>
                {
                    let record = Record { newest, first_live, durable, hash };
                    believed = Some((generation, slot, record));
                }
                _ => {}
            }
        }
        let Some((generation, slot, last)) = believed else {
            return Err(JournalError::damaged(path, 0, Damage::Head));
        };
        Ok(Self { file, path, store, generation, last, running: 1 - slot, written: Written::No })
    }

    /// The record that was read or written last.
    pub(super) fn record(&self) -> Record {
        self.last
    }

    /// Writes the believed slot again, byte for byte: after a failed sync it may stand in the cache
    /// only, and then the other slot, which the next record overwrites, is the only one on disk.
    pub(super) fn rewrite(&mut self) -> Result<(), JournalError> {
        let offset = (1 - self.running) * SLOT_BYTES;
        let bytes = encode(self.store, self.generation, self.last);
        self.file.write_at(&bytes, offset).at("write", &self.path)?;
        self.file.sync().at("sync", &self.path)
    }

    /// Writes a record into the running slot, un-synced.
    pub(super) fn write(&mut self, record: Record) -> Result<(), JournalError> {
        if record == self.last {
            return Ok(());
        }
        let bytes = encode(self.store, self.generation + 1, record);
        self.file.write_at(&bytes, self.running * SLOT_BYTES).at("write", &self.path)?;
        self.generation += 1;
        self.last = record;
        self.written = Written::Yes;
        Ok(())
    }

    /// Makes the last record durable. The slots swap only if the running one was written: else the
    /// only synced record would be overwritten next.
    pub(super) fn sync(&mut self) -> Result<(), JournalError> {
        if self.written == Written::No {
            return Ok(());
        }
        self.file.sync().at("sync", &self.path)?;
        self.running = 1 - self.running;
        self.written = Written::No;
        Ok(())
    }
}

fn encode(store: u64, generation: u64, record: Record) -> Vec<u8> {
    let Record { newest, first_live, durable, hash } = record;
    seal(&[KIND, store, generation, newest, first_live, durable, hash])
}
