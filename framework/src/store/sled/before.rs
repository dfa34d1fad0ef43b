//! sled's files as they were before an opening, until that has come to a good end.
//!
//! Works around sled 0.34.7 (`LogIter::next`, `scan_segment_headers_and_tail`): a read that fails
//! while it opens is the end of its log to it, and it overwrites what stands behind. So its files
//! are copied first, and put back when the opening fails, whatever it fails of: a store that is
//! refused is as it was, and the next start may open it.
//!
//! The copy is not synced: it is needed only while the machine runs, and names the boot. One that
//! a killed process left is put back by the next start. Where there is no room for a copy, or it
//! takes the room that the opening needs, the opening goes on without, and says so. A copy takes as
//! long as reading and writing the file in memory; where the file system shares blocks between
//! files, no time.

use std::error::Error;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::BaseError;
use super::files::sync_file;
use crate::boot::boot_id;
use crate::store::StoreError;

/// What the name of a copy begins with, in the store's directory. The boot follows.
const NAME: &str = "sled.before-";

/// A copy that is being made.
const NEW: &str = "sled.before-new";

/// What an opening gives that is undone if it fails. One that finds no room beside the copy is
/// tried again without: a copy never costs a start.
pub(super) fn undone_if_it_fails<T>(
    store: &Path,
    mut open: impl FnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let before = Before::copy(store).map_err(StoreError::failed)?;
    let error = match open() {
        Ok(opened) => {
            before.forget().map_err(StoreError::failed)?;
            return Ok(opened);
        }
        Err(error) => error,
    };
    if before.copy.is_none() || !is_of_room(&error) {
        before.put_back();
        return Err(error);
    }
    let sled = before.sled.clone();
    let spoilt = File::options().write(true).open(sled.join("db"));
    if !before.put_back() {
        return Err(error);
    }
    // sled may hold its file open for as long as the process runs, and its room with it.
    if let Ok(spoilt) = spoilt
        && let Err(error) = spoilt.set_len(0)
    {
        tracing::warn!(target: "endwise::store", dir = %sled.display(), %error, "room is not freed");
    }
    tracing::warn!(
        target: "endwise::store", dir = %sled.display(), %error,
        "no room to open sled's files beside their copy: opening again without a copy",
    );
    open()
}

/// Whether an opening has failed for want of room.
fn is_of_room(error: &StoreError) -> bool {
    if let StoreError::Failed(error) = error
        && let Some(BaseError::Panicked { message, .. }) = error.downcast_ref()
    {
        // sled unwraps the errors of some of its writes; this is how they are shown.
        return message.contains("StorageFull") || message.contains("QuotaExceeded");
    }
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        let kind = if let Some(error) = error.downcast_ref::<io::Error>() {
            Some(error.kind())
        } else if let Some(error) = error.downcast_ref::<Arc<io::Error>>() {
            Some(error.kind())
        } else if let Some(::sled::Error::Io(error)) = error.downcast_ref() {
            Some(error.kind())
        } else {
            None
        };
        if let Some(kind) = kind {
            return is_full(kind);
        }
        next = error.source();
    }
    false
}

fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// sled's files as they were.
#[derive(Debug)]
struct Before {
    sled: PathBuf,
    /// `None` if there is none.
    copy: Option<PathBuf>,
}

impl Before {
    /// Puts back what an opening left that did not end, then copies sled's files.
    fn copy(store: &Path) -> Result<Self, BaseError> {
        let sled = store.join("sled");
        let copy = boot_id().map(|boot| store.join(format!("{NAME}{boot:032x}")));
        for entry in fs::read_dir(store).map_err(|source| io("reading", store, source))? {
            let path = entry.map_err(|source| io("reading", store, source))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(NAME) && Some(&path) != copy.as_ref() {
                fs::remove_dir_all(&path).map_err(|source| io("removing", &path, source))?;
            }
        }
        let Some(copy) = copy else { return Ok(Before { sled, copy: None }) };
        if copy.exists() {
            put_back(&copy, &sled)?;
        }
        if !sled.join("db").exists() {
            return Ok(Before { sled, copy: None });
        }
        let new = store.join(NEW);
        match copy_files(&sled, &new) {
            Ok(()) => {}
            Err(error) if is_full(error.kind()) => {
                tracing::warn!(
                    target: "endwise::store", dir = %sled.display(), %error,
                    "no room to copy sled's files before they are opened: opening without a copy",
                );
                fs::remove_dir_all(&new).map_err(|source| io("removing", &new, source))?;
                return Ok(Before { sled, copy: None });
            }
            Err(source) => return Err(io("copying", &sled, source)),
        }
        fs::rename(&new, &copy).map_err(|source| io("renaming", &new, source))?;
        Ok(Before { sled, copy: Some(copy) })
    }

    /// The opening has ended well: the copy goes, before anything is written.
    fn forget(self) -> Result<(), BaseError> {
        let Some(copy) = self.copy else { return Ok(()) };
        // A copy that is there in part must not be put back.
        let new = copy.with_file_name(NEW);
        fs::rename(&copy, &new).map_err(|source| io("renaming", &copy, source))?;
        fs::remove_dir_all(&new).map_err(|source| io("removing", &new, source))
    }

    /// The opening has failed: all is as it was before. If that fails too, the next start does it.
    /// Whether it was done.
    fn put_back(self) -> bool {
        let Some(copy) = self.copy else { return false };
        let done = put_back(&copy, &self.sled);
        if let Err(error) = &done {
            tracing::error!(
                target: "endwise::store", %error, copy = %copy.display(),
                "sled's files could not be put back as they were: the next start does it",
            );
        }
        done.is_ok()
    }
}

/// sled's files by their names: `db` first, then `conf` and the snapshots.
fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        if text == "db" || text == "conf" || text.starts_with("snap.") {
            files.push(PathBuf::from(name));
        }
    }
    files.sort_by_key(|name| name != Path::new("db"));
    Ok(files)
}

fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for name in files(from)? {
        fs::copy(from.join(&name), to.join(&name))?;
    }
    Ok(())
}

/// Moves a copy's files to where they were. Can be done again if it was not done to its end: sled
/// needs no snapshot, but none that is newer than its log.
fn put_back(copy: &Path, sled: &Path) -> Result<(), BaseError> {
    let whole = files(copy).map_err(|source| io("reading", copy, source))?;
    for name in files(sled).map_err(|source| io("reading", sled, source))? {
        let path = sled.join(&name);
        if name.to_string_lossy().starts_with("snap.") {
            fs::remove_file(&path).map_err(|source| io("removing", &path, source))?;
        }
    }
    for name in whole {
        let from = copy.join(&name);
        sync_file(&from)?;
        fs::rename(&from, sled.join(&name)).map_err(|source| io("renaming", &from, source))?;
    }
    sync_file(sled)?;
    fs::remove_dir_all(copy).map_err(|source| io("removing", copy, source))
}

fn io(doing: &'static str, path: &Path, source: io::Error) -> BaseError {
    BaseError::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &Path) -> Option<String> {
        fs::read_to_string(path).ok()
    }

    /// A store whose sled is `old`, copied, and then overwritten and with another snapshot.
    fn overwritten(store: &Path) -> Before {
        let sled = store.join("sled");
        fs::create_dir_all(&sled).unwrap();
        for (name, content) in [("db", "old"), ("conf", "conf"), ("snap.1", "one")] {
            fs::write(sled.join(name), content).unwrap();
        }
        let before = Before::copy(store).unwrap();
        fs::write(sled.join("db"), "overwritten").unwrap();
        fs::rename(sled.join("snap.1"), sled.join("snap.2")).unwrap();
        before
    }

    fn is_as_before(store: &Path) {
        let sled = store.join("sled");
        assert_eq!(text(&sled.join("db")).unwrap(), "old");
        assert_eq!(text(&sled.join("snap.1")).unwrap(), "one");
        assert_eq!(text(&sled.join("snap.2")), None);
    }

    #[test]
    fn what_an_opening_overwrote_is_put_back() {
        let home = tempfile::tempdir().unwrap();
        overwritten(home.path()).put_back();
        is_as_before(home.path());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "no copy is left");
    }

    #[test]
    fn what_a_killed_opening_left_is_put_back_by_the_next() {
        let home = tempfile::tempdir().unwrap();
        drop(overwritten(home.path()));
        let again = Before::copy(home.path()).unwrap();
        is_as_before(home.path());
        again.forget().unwrap();
        is_as_before(home.path());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "no copy is left");
    }

    /// A store with a `db` that is `old`, and openings of it that overwrite that and fail while there
    /// is a copy.
    fn open_beside_a_copy(
        store: &Path,
        error: impl Fn() -> StoreError,
    ) -> (Result<String, StoreError>, usize) {
        fs::create_dir_all(store.join("sled")).unwrap();
        let db = store.join("sled/db");
        fs::write(&db, "old").unwrap();
        let (mut openings, mut held) = (0, Vec::new());
        let opened = undone_if_it_fails(store, || {
            openings += 1;
            // As sled does after an error, it holds its file open.
            held.push(File::open(&db).unwrap());
            let found = text(&db).unwrap();
            fs::write(&db, "overwritten").unwrap();
            let mut names = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().file_name());
            match names.any(|name| name.to_string_lossy().starts_with(NAME)) {
                true => Err(error()),
                false => Ok(found),
            }
        });
        assert_eq!(fs::read_dir(store).unwrap().count(), 1, "no copy is left");
        if opened.is_ok() {
            assert_eq!(held[0].metadata().unwrap().len(), 0, "what is held takes no room");
        }
        (opened, openings)
    }

    #[test]
    fn an_opening_without_room_beside_the_copy_is_tried_again_without() {
        use crate::journal::JournalError;

        let (path, doing) = (PathBuf::from("d"), "opening");
        let full = || io::Error::from(ErrorKind::StorageFull);
        let panicked = format!("called `Result::unwrap()` on an `Err` value: {:?}", full());
        let errors: [&dyn Fn() -> StoreError; 5] = [
            &|| StoreError::failed(io("syncing", &path, full())),
            &|| StoreError::failed(io("syncing", &path, ErrorKind::QuotaExceeded.into())),
            &|| {
                let source = ::sled::Error::Io(full());
                StoreError::failed(BaseError::Sled { doing, path: path.clone(), source })
            },
            &|| {
                let message = panicked.clone();
                StoreError::failed(BaseError::Panicked { doing, path: path.clone(), message })
            },
            &|| {
                let source = Arc::new(full());
                StoreError::failed(JournalError::Io { action: "write", file: path.clone(), source })
            },
        ];
        for error in errors {
            let home = tempfile::tempdir().unwrap();
            let (opened, openings) = open_beside_a_copy(home.path(), error);
            assert_eq!((opened.unwrap().as_str(), openings), ("old", 2), "{}", error());
        }
    }

    #[test]
    fn an_opening_that_fails_of_something_else_is_undone_once() {
        let home = tempfile::tempdir().unwrap();
        let error = || StoreError::failed(io("reading", Path::new("d"), ErrorKind::Other.into()));
        let (opened, openings) = open_beside_a_copy(home.path(), error);
        assert_eq!((opened.is_err(), openings), (true, 1));
        assert_eq!(text(&home.path().join("sled/db")).unwrap(), "old");
    }

    #[test]
    fn a_copy_of_another_boot_or_half_made_is_not_believed() {
        let home = tempfile::tempdir().unwrap();
        let (sled, before) = (home.path().join("sled"), overwritten(home.path()));
        let copy = before.copy.unwrap();
        let other = home.path().join(format!("{NAME}{:032x}", 1));
        fs::rename(&copy, &other).unwrap();
        fs::create_dir(home.path().join(NEW)).unwrap();
        Before::copy(home.path()).unwrap().forget().unwrap();
        assert_eq!(text(&sled.join("db")).unwrap(), "overwritten");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "no copy is left");
    }
}
