//! What the data's owner alone may read and write.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The permissions of a directory that is made.
pub(super) const DIRECTORY_MODE: u32 = 0o700;

/// The permissions of a file that is made.
pub(crate) const FILE_MODE: u32 = 0o600;

/// What group and others may do.
const OTHERS: u32 = 0o077;

/// What of a data directory is ours. Somebody may keep his own files beside it.
const OURS: [&str; 7] = ["FORMAT", "FORMAT.tmp", "admin", "journal", "marks", "marks.new", "sled"];

/// Takes from group and others what they may do with a data directory. It is the owner's choice who
/// reads the disk; so a failure is told and does not stop anything.
pub(super) fn tighten(dir: &Path) {
    let tightened = tighten_ours(dir);
    match tightened {
        Ok(0) => {}
        Ok(count) => tracing::warn!(
            target: "endwise::directory", dir = %dir.display(), count,
            "group or others had access to the data: it was taken from them (directories 0700, \
             files 0600)",
        ),
        Err(error) => tracing::warn!(
            target: "endwise::directory", dir = %dir.display(), %error,
            "could not take access to the data from group and others: check the files' owner",
        ),
    }
}

fn tighten_ours(dir: &Path) -> io::Result<usize> {
    let is_ours = dir.join("FORMAT").exists() || fs::read_dir(dir)?.next().is_none();
    let mut count = if is_ours { tighten_one(dir)? } else { 0 };
    for name in OURS {
        match tighten_all(&dir.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            tightened => count += tightened?,
        }
    }
    Ok(count)
}

/// Takes from group and others what they may do with a file, or with a directory and all in it.
/// Follows no link. Says of how many.
pub(crate) fn tighten_all(path: &Path) -> io::Result<usize> {
    let found = fs::symlink_metadata(path)?;
    if found.is_symlink() {
        return Ok(0);
    }
    let mut count = tighten_one(path)?;
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            match tighten_all(&entry?.path()) {
                // sled removes files of its own as it goes.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                tightened => count += tightened?,
            }
        }
    }
    Ok(count)
}

fn tighten_one(path: &Path) -> io::Result<usize> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & OTHERS == 0 {
        return Ok(0);
    }
    fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS & 0o7777))?;
    Ok(1)
}
