//! Files of sled that repeat what is known elsewhere: a damaged one is set aside, told in the log,
//! and made anew by sled.
//!
//! `snap.*` is an index of the log in `db`; without it sled reads the whole log. `conf` holds what
//! [`config`](super::base::config) says. What is damaged in `db` itself is lost, and refused.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::base::SEGMENT_BYTES;
use super::error::BaseError;

/// What the name of a file that was set aside begins with. Those of earlier starts are removed.
const ASIDE: &str = "damaged-";

/// Removes snapshots that a crash left unfinished, and sets damaged files aside that sled makes
/// anew.
///
/// Works around sled 0.34.7 (`read_snapshot`): it refuses to open with a snapshot that is damaged,
/// and takes a half-written `snap.N.generating` for the newest one.
pub(super) fn rebuild(dir: &Path) -> Result<(), BaseError> {
    let failed = |source| BaseError::Io { doing: "reading", path: dir.to_owned(), source };
    let mut snapshots = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match name.strip_prefix("snap.") {
            Some(number) if number.ends_with(".generating") => {
                fs::remove_file(&path).map_err(failed)?;
            }
            Some(_) => snapshots.push(path),
            None => {}
        }
    }
    // sled reads the newest. The others are behind it, and their log may be gone.
    snapshots.sort();
    if let Some(newest) = snapshots.last()
        && !is_snapshot(&read(newest)?)
    {
        set_aside(dir, &snapshots)?;
    }
    let conf = dir.join("conf");
    let found = match fs::read(&conf) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found.map_err(|source| io(&conf, source))?,
    };
    if found == conf_bytes() { Ok(()) } else { set_aside(dir, &[conf]) }
}

fn set_aside(dir: &Path, files: &[PathBuf]) -> Result<(), BaseError> {
    for entry in fs::read_dir(dir).map_err(|source| io(dir, source))? {
        let path = entry.map_err(|source| io(dir, source))?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(ASIDE)) {
            fs::remove_file(&path).map_err(|source| io(&path, source))?;
        }
    }
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let aside = dir.join(format!("{ASIDE}{name}"));
        fs::rename(file, &aside).map_err(|source| io(file, source))?;
        tracing::warn!(
            target: "endwise::store", file = %file.display(), aside = %aside.display(),
            "damaged file of sled set aside: it is made anew from `db`, and nothing is lost; \
             check the disk",
        );
    }
    Ok(())
}

/// Whether sled would read it: its content, the length of that, and the content's checksum.
fn is_snapshot(bytes: &[u8]) -> bool {
    let Some((rest, sum)) = bytes.split_last_chunk::<4>() else { return false };
    let Some((content, _)) = rest.split_last_chunk::<8>() else { return false };
    !content.is_empty() && crc32fast::hash(content) == u32::from_le_bytes(*sum)
}

/// What sled writes into `conf`.
fn conf_bytes() -> Vec<u8> {
    let text = format!("segment_size: {SEGMENT_BYTES}\nuse_compression: false\nversion: 0.34\n");
    let sum = crc32fast::hash(text.as_bytes()).to_le_bytes();
    [text.into_bytes(), sum.to_vec()].concat()
}

fn read(path: &Path) -> Result<Vec<u8>, BaseError> {
    fs::read(path).map_err(|source| io(path, source))
}

fn io(path: &Path, source: io::Error) -> BaseError {
    BaseError::Io { doing: "reading", path: path.to_owned(), source }
}
