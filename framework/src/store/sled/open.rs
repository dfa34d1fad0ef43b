//! Opening a store: lock, `FORMAT`, the checkpoint, the journal behind it. A store that is damaged
//! is refused; it is never opened as a smaller or an empty one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::base::Base;
use super::before::undone_if_it_fails;
use super::brake::Brake;
use super::cold::Seen;
use super::committer::OpenSled;
use super::{Epoch, SledOptions, redo, table};
#[cfg(feature = "cli")]
use crate::directory;
use crate::directory::{Directory, DirectoryError, Patience};
use crate::journal::{Journal, JournalError, Options, RealDisk};
use crate::random;
use crate::store::tables::{Identity, Tables};
use crate::store::{StoreError, change};
use crate::tasks::Tasks;

/// What the store writes to, and the lock that keeps others out while it may.
pub(super) struct Files {
    pub(super) journal: Journal,
    pub(super) directory: Directory,
}

/// First line of `FORMAT`. A new format gets a new number; old ones are never given away again.
const FORMAT: &str = "endwise store, format 2";

/// Opens the store in a directory, or makes it when there is none.
pub(super) fn open(
    dir: PathBuf,
    options: SledOptions,
    epoch: Epoch,
    patience: Patience,
    service: Arc<str>,
) -> Result<OpenSled, StoreError> {
    let mut directory = Directory::lock(dir, patience).map_err(refused)?;
    let format = directory.format(FORMAT).map_err(refused)?;
    let identity = match (format, epoch) {
        (Some(text), Epoch::Same) => identity(&directory, &text, &service)?,
        (Some(text), Epoch::Raised) => {
            let identity = identity(&directory, &text, &service)?;
            raised(&mut directory, identity)?
        }
        (None, _) => make(&mut directory, &options, service)?,
    };
    let dir = directory.path();
    let (tables, base, journal) =
        undone_if_it_fails(dir, || open_files(dir, &options, identity.clone()))?;
    redo::forget(&directory.path().join("sled")).map_err(StoreError::failed)?;
    let newest = journal.segments().last().map_or(0, |segment| segment.number);
    Ok(OpenSled {
        // What is in the newest segment alone waits until that is full.
        checkpointed: if journal.segments().len() > 1 { newest - 1 } else { newest },
        options,
        tables,
        base,
        files: Some(Files { journal, directory }),
        checkpoint: Tasks::new(),
        brake: Brake::default(),
        stalled: None,
        head_synced_ms: 0,
        poison: None,
    })
}

/// Opens the checkpoint, and the journal behind it.
fn open_files(
    dir: &Path,
    options: &SledOptions,
    identity: Identity,
) -> Result<(Tables, Base, Journal), StoreError> {
    let opened = Base::open_watched::<Seen>(&dir.join("sled"), options.cache_bytes_max);
    let (base, seen) = opened.map_err(StoreError::failed)?;
    let mut tables = Tables::new(identity);
    table::load(&base, seen, &mut tables).map_err(StoreError::failed)?;
    let nonce = random::of(options.seed, "nonce");
    let journal_options = Options {
        segment_bytes: options.segment_bytes,
        ..Options::new(tables.identity.store, nonce)
    };
    let from = base.position() + 1;
    let opened = Journal::open(RealDisk, &dir.join("journal"), journal_options, from, |frame| {
        change::decode(frame.payload, |change| tables.replay(change))
            .map_err(|error| JournalError::refused(frame.sequence, error))
    });
    let journal = opened.map_err(|error| behind(dir, from, error))?;
    Ok((tables, base, journal))
}

/// Blames sled's file where the journal begins behind what that holds: a segment is let go only
/// when a checkpoint has all of it.
fn behind(dir: &Path, from: u64, error: JournalError) -> StoreError {
    match error {
        JournalError::Lost { first, last, .. } if first == from => StoreError::Refused {
            place: dir.join("sled/db").display().to_string().into(),
            reason: format!(
                "its checkpoint ends at record {}, and the journal begins at {}: the store lost \
                 records {first}..={last}, for this file is damaged or an older copy",
                from - 1,
                last + 1
            )
            .into(),
            remedy: "restore the whole data directory from one backup, never single files of it"
                .into(),
        },
        error => StoreError::failed(error),
    }
}

/// Makes a store: everything synced first, `FORMAT` last. What a crash left half made, without
/// `FORMAT`, is made anew.
fn make(
    directory: &mut Directory,
    options: &SledOptions,
    service: Arc<str>,
) -> Result<Identity, StoreError> {
    let store = random::of(options.seed, "store");
    let journal = directory.path().join("journal");
    let nonce = random::of(options.seed, "making");
    // Refuses if there are frames: then this was a store, and its FORMAT was lost.
    Journal::create(
        RealDisk,
        &journal,
        Options { segment_bytes: options.segment_bytes, ..Options::new(store, nonce) },
    )
    .map_err(StoreError::failed)?;
    let base = directory.path().join("sled");
    if Base::open(&base).is_ok_and(|base| base.position() > 0) {
        return Err(StoreError::Refused {
            place: directory.path().display().to_string().into(),
            reason: "it holds a checkpoint, but neither its FORMAT nor its journal".into(),
            remedy: "restore the whole directory from a backup, or move it away".into(),
        });
    }
    remove(&base)?;
    Base::create(&base).map_err(StoreError::failed)?;
    let identity = Identity { service, store, epoch: 0 };
    write_identity(directory, &identity)?;
    Ok(identity)
}

fn write_identity(directory: &mut Directory, identity: &Identity) -> Result<(), StoreError> {
    let Identity { service, store, epoch } = identity;
    let text = format!("service {service}\nstore {store:016x}\nepoch {epoch}");
    directory.write_format(FORMAT, &text).map_err(refused)
}

/// The store with its next epoch, durably: whatever it sends is of new streams.
fn raised(directory: &mut Directory, mut identity: Identity) -> Result<Identity, StoreError> {
    identity.epoch += 1;
    write_identity(directory, &identity)?;
    Ok(identity)
}

/// Whose store a directory is, as its `FORMAT` says, whatever the format's number.
#[cfg(feature = "cli")]
pub(super) fn service_of(dir: &Path) -> Result<Option<Arc<str>>, DirectoryError> {
    let Some(text) = directory::format_text(dir)? else { return Ok(None) };
    let kind = FORMAT.trim_end_matches(|c: char| c.is_ascii_digit());
    let mut lines = text.lines();
    let is_store = lines.next().is_some_and(|first| first.starts_with(kind));
    let service = lines.find_map(|line| line.strip_prefix("service "));
    Ok(service.filter(|_| is_store).map(Arc::from))
}

fn remove(dir: &Path) -> Result<(), StoreError> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::failed(error))
        }
        _ => Ok(()),
    }
}

/// Who the store is, as `FORMAT` says.
fn identity(directory: &Directory, text: &str, service: &Arc<str>) -> Result<Identity, StoreError> {
    let field =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let read = || {
        let store = u64::from_str_radix(field("store")?, 16).ok()?;
        Some((field("service")?, store, field("epoch")?.parse().ok()?))
    };
    let place: Arc<str> = directory.path().display().to_string().into();
    let Some((owner, store, epoch)) = read() else {
        return Err(StoreError::Refused {
            place,
            reason: "its FORMAT file cannot be read".into(),
            remedy: "restore it, or the whole directory, from a backup".into(),
        });
    };
    if *owner != **service {
        return Err(StoreError::Refused {
            place,
            reason: format!("it belongs to service {owner:?}, not to {service:?}").into(),
            remedy: "give each service a directory of its own".into(),
        });
    }
    Ok(Identity { service: Arc::clone(service), store, epoch })
}

fn refused(error: DirectoryError) -> StoreError {
    match error {
        DirectoryError::Locked { dir, by } => {
            StoreError::Locked { place: dir.display().to_string().into(), by }
        }
        DirectoryError::Format { file, found, reads } => StoreError::Refused {
            place: file.display().to_string().into(),
            reason: format!("it says {found:?}, and this version reads {reads:?} alone").into(),
            remedy: "use the version that wrote it, or move the directory away to begin with an \
                     empty one"
                .into(),
        },
        DirectoryError::Damaged { file, reason } => StoreError::Refused {
            place: file.display().to_string().into(),
            reason: format!("it is damaged: {reason}").into(),
            remedy: "restore it, or the whole data directory, from a backup".into(),
        },
        error => StoreError::failed(error),
    }
}
