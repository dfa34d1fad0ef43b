//! The end of the journal: a torn tail that was never acknowledged, or damage.

use std::{io, path::Path};

use super::{
    Options,
    disk::{Disk, DiskFile, write_zeros},
    error::{At, Damage, JournalError},
    frame::{self, HEADER_BYTES},
    head::Record,
    recovery::Read,
    segment::{self, Origin},
};

/// An offset as an index. Files larger than memory were refused when they were read.
pub(super) fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// Refuses the journal if the first missing frame was durable: if `HEAD`, the owner's checkpoint or
/// any later frame says so.
pub(super) fn judge(
    dir: &Path,
    store: u64,
    head: &Record,
    from: u64,
    read: &Read,
) -> Result<(), JournalError> {
    let missing = read.last.sequence + 1;
    let damaged = || {
        let path = segment::path(dir, read.header.number);
        JournalError::damaged(path, read.end, Damage::Frame { sequence: missing })
    };
    if head.newest > read.header.number {
        let path = segment::path(dir, read.header.number + 1);
        return Err(JournalError::damaged(path, 0, Damage::Missing));
    }
    if head.durable >= missing {
        return Err(damaged());
    }
    if frame::find(read.behind(), store, |later| later.durable >= missing).is_some() {
        return Err(damaged());
    }
    if from > missing {
        return Err(JournalError::Lost { first: missing, last: from - 1, dir: dir.to_owned() });
    }
    Ok(())
}

impl Read {
    /// What stands behind the last frame.
    fn behind(&self) -> &[u8] {
        self.bytes.get(index(self.end)..).unwrap_or_default()
    }

    /// What stands behind the last frame, up to the last byte that is not zero.
    fn torn(&self) -> &[u8] {
        let behind = self.behind();
        let end = behind.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        behind.get(..end).unwrap_or_default()
    }
}

/// Copies a torn tail to a file of its own before it is overwritten. Only a bounded number of such
/// files is kept.
pub(super) fn keep_evidence<D: Disk>(
    disk: &D,
    dir: &Path,
    options: &Options,
    read: &Read,
) -> Result<(), JournalError> {
    let torn = read.torn();
    if torn.is_empty() || is_leftover(torn, options.store, read) {
        return Ok(());
    }
    let number = read.header.number;
    let name = format!("torn-{number:012}-{:012}-{:016x}", read.end, options.nonce);
    let path = dir.join(&name);
    let file = disk.create(&path).at("create", &path)?;
    file.write_at(torn, 0).at("write", &path)?;
    file.sync().at("sync", &path)?;
    disk.sync_dir(dir).at("sync", dir)?;
    let mut kept = disk.list(dir).at("list", dir)?;
    kept.retain(|name| name.starts_with("torn-"));
    kept.sort_unstable();
    let surplus = kept.len().saturating_sub(options.torn_tails_max);
    for name in kept.iter().take(surplus) {
        let path = dir.join(name);
        disk.remove(&path).at("remove", &path)?;
    }
    Ok(())
}

/// Whether these bytes are only what a recycled file held before: the end is clean, and no frame
/// behind it is newer than the last one.
fn is_leftover(torn: &[u8], store: u64, read: &Read) -> bool {
    let clean = torn.iter().take(HEADER_BYTES).all(|&byte| byte == 0);
    let newer = || frame::find(torn, store, |header| header.sequence > read.last.sequence);
    read.header.origin == Origin::Recycled && clean && newer().is_none()
}

/// Overwrites with zeros what stands behind the last frame: once refused, it must not come back
/// behind a new frame.
pub(super) fn cut_off(file: &impl DiskFile, read: &Read) -> io::Result<()> {
    write_zeros(file, read.end, read.end + read.torn().len() as u64)
}
