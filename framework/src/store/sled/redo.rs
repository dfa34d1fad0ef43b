//! A batch that failed: written down, and written again by the next opening.
//!
//! Works around sled 0.34.7 (`RecoveryGuard`): an error inside a batch lets go of what makes it a
//! whole, and what its log's buffers had of it reaches the file. Neither the rows before it nor
//! those after it are there then. What the batch was to write is known, and can be written twice:
//! so it is put into a file when it has failed, and the next opening begins with it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::base::sled_error;
use super::error::BaseError;
use super::files::sync_file;
use super::key::META;
use crate::directory::FILE_MODE;

/// The file, beside sled's own. First the checksum of what follows, then a [`Redo`].
const NAME: &str = "failed-batch";

/// A larger file is none of ours: a batch's chunks and keys have less than half of it.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// What a batch was to write.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Redo {
    /// The base's own row before it.
    pub(super) before: Vec<u8>,
    /// Each key, with its value or as one that goes. The base's own row is one of them.
    pub(super) writes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Redo {
    /// Writes it down. If that fails as well, the next opening may refuse what it finds.
    pub(super) fn keep(&self, dir: &Path) {
        if let Err(error) = self.write(dir) {
            tracing::error!(
                target: "endwise::store", dir = %dir.display(), %error,
                "a failed batch could not be written down: if the next start refuses this store, \
                 restore the whole data directory from one backup",
            );
        }
    }

    fn write(&self, dir: &Path) -> io::Result<()> {
        let content = postcard::to_allocvec(self).map_err(io::Error::other)?;
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(FILE_MODE);
        let mut file = options.open(dir.join(NAME))?;
        file.write_all(&crc32c::crc32c(&content).to_le_bytes())?;
        file.write_all(&content)?;
        file.sync_data()?;
        File::open(dir)?.sync_all()
    }

    /// What was written down; `None` if there is nothing, or a kill has left a part of it.
    fn read(dir: &Path) -> Result<Option<Self>, BaseError> {
        let path = dir.join(NAME);
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(BaseError::Io { doing: "reading", path, source }),
            Ok(_) => {}
        }
        let Some((sum, content)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
        let is_whole = crc32c::crc32c(content).to_le_bytes() == *sum;
        Ok(is_whole.then(|| postcard::from_bytes(content).ok()).flatten())
    }

    /// Whether sled holds what the batch was made for, or what it was to leave.
    fn fits(&self, found: &[u8]) -> bool {
        let after = self.writes.iter().find(|(key, _)| key == META);
        found == self.before || after.is_some_and(|(_, row)| row.as_deref() == Some(found))
    }
}

/// Writes a batch again that failed in an earlier process, and says whether there was one. It is
/// not yet flushed then. After an error this handle of sled writes nothing more.
pub(super) fn redo(db: &::sled::Db, dir: &Path) -> Result<bool, BaseError> {
    let Some(redo) = Redo::read(dir)? else { return Ok(false) };
    let again = || {
        if !db.get(META)?.is_some_and(|row| redo.fits(&row)) {
            return Ok(false);
        }
        let mut batch = ::sled::Batch::default();
        for (key, value) in redo.writes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        db.apply_batch(batch).map(|()| true)
    };
    again().map_err(|source| {
        std::mem::forget(db.clone());
        sled_error("repeating a batch", dir, source)
    })
}

/// Forgets a batch that was written again, durably.
pub(super) fn forget(dir: &Path) -> Result<(), BaseError> {
    let path = dir.join(NAME);
    match fs::remove_file(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(BaseError::Io { doing: "removing", path, source }),
        Ok(()) => sync_file(dir),
    }
}

#[cfg(test)]
mod tests {
    use super::super::base::{Base, config};
    use super::super::checkpoint::Change;
    use super::super::meta::Meta;
    use super::*;

    fn put(key: &str, value: &str) -> Result<Change, BaseError> {
        Ok(Change { table: 1, key: key.into(), value: Some(value.into()) })
    }

    fn rows(dir: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
        let base = Base::open(dir).unwrap();
        base.scan(1, b"").map(Result::unwrap).collect()
    }

    /// A base with half of a batch, and the batch.
    fn half_written(dir: &Path) -> Redo {
        Base::create(dir).unwrap();
        let checkpoint = |position, rows: [(&str, &str); 2]| {
            let base = Base::open(dir).unwrap();
            let rows = rows.map(|(key, value)| put(key, value));
            base.write_checkpoint(rows, position, |_| Ok::<(), BaseError>(())).unwrap();
        };
        let read = || {
            let db = config(dir, 1 << 20).open().unwrap();
            let rows = db.iter().map(|row| row.map(|(key, row)| (key.to_vec(), row.to_vec())));
            rows.collect::<Result<Vec<_>, _>>().unwrap()
        };
        checkpoint(1, [("a", "old"), ("b", "old")]);
        let before = read();
        checkpoint(2, [("a", "new"), ("b", "new")]);
        let after = read();
        let db = config(dir, 1 << 20).open().unwrap();
        for (key, row) in [&before[0], &before[1]] {
            db.insert(key.as_slice(), row.as_slice()).unwrap();
        }
        db.flush().unwrap();
        assert_eq!(before[0].0, META);
        let writes = after.into_iter().map(|(key, row)| (key, Some(row))).collect();
        Redo { before: before[0].1.clone(), writes }
    }

    #[test]
    fn a_batch_that_was_written_down_is_written_again() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("sled");
        let redo = half_written(&dir);
        assert!(matches!(Base::open(&dir), Err(BaseError::Changed { table: 1, .. })));
        redo.keep(&dir);
        assert_eq!(Redo::read(&dir).unwrap().as_ref(), Some(&redo));
        // It is found again until it is forgotten.
        for _ in 0..2 {
            let new = |key: &str| (key.as_bytes().to_vec(), b"new".to_vec());
            assert_eq!(rows(&dir), [new("a"), new("b")]);
            assert_eq!(Base::open(&dir).unwrap().position(), 2);
        }
        forget(&dir).unwrap();
        assert_eq!(Redo::read(&dir).unwrap(), None);
        assert_eq!(rows(&dir).len(), 2);
    }

    #[test]
    fn one_that_is_torn_or_of_another_time_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("sled");
        let redo = half_written(&dir);
        redo.keep(&dir);
        let file = OpenOptions::new().write(true).open(dir.join(NAME)).unwrap();
        file.set_len(file.metadata().unwrap().len() - 1).unwrap();
        assert!(matches!(Base::open(&dir), Err(BaseError::Changed { table: 1, .. })));
        let before = Meta { position: 7, ..Meta::default() }.to_bytes();
        let mut writes = redo.writes;
        writes.retain(|(key, _)| key != META);
        Redo { before, writes }.keep(&dir);
        assert!(matches!(Base::open(&dir), Err(BaseError::Changed { table: 1, .. })));
    }
}
