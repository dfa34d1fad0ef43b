//! The journal as its owner writes it: append, sync, release.

mod rotation;

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

use super::{
    Frame, Options, Place, Reader, RealDisk,
    disk::{Disk, DiskFile, write_zeros},
    error::{At, JournalError},
    frame::{self, HEADER_BYTES},
    head::{Head, Record},
    recovery,
    segment::{self, FRAMES_AT, Live, Origin, Segment},
};

/// Frames wait in memory for the next sync until they are this many bytes; then they are written.
const PENDING_BYTES_MAX: usize = if cfg!(test) { 8 << 10 } else { 4 << 20 };

/// A frame of this size is not copied, but written at once.
const WRITE_THROUGH_BYTES: usize = if cfg!(test) { 2 << 10 } else { 1 << 20 };

/// Zeros behind the last frame: where a recycled file goes on with older bytes, they tell a clean
/// end from a torn one.
const END: [u8; HEADER_BYTES] = [0; HEADER_BYTES];

/// Whether [`Journal::sync`] also makes `HEAD` durable. It bounds what damage after a power cut can
/// hide: sync it when idle, on stop, and about once a second under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadSync {
    /// `HEAD` is written only.
    Write,
    /// `HEAD` is written and synced.
    Sync,
}

/// An open journal. All calls block; one owner writes.
///
/// After a failed write or sync every call that writes returns [`JournalError::Poisoned`]: what
/// reached the disk is unknown, and a sync that failed is never tried again.
#[derive(Debug)]
pub struct Journal<D: Disk = RealDisk> {
    disk: D,
    dir: PathBuf,
    options: Options,
    head: Head<D::File>,
    live: Live,
    /// Released segments whose files wait to be used again, oldest first.
    spares: VecDeque<u64>,
    tail: Tail<D::File>,
    /// Encoded frames of the tail segment that are not written yet.
    pending: Vec<u8>,
    /// Sequence and hash of the last frame appended, and of the last one that is durable.
    appended: Link,
    durable: Link,
    first_live: u64,
    poison: Option<Box<JournalError>>,
}

/// A frame as the chain names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) sequence: u64,
    pub(super) hash: u64,
}

/// The segment that is written.
#[derive(Debug)]
pub(super) struct Tail<F> {
    pub(super) file: F,
    pub(super) path: PathBuf,
    pub(super) number: u64,
    /// Sequence of its first frame.
    pub(super) first: u64,
    /// Where the next frame begins, those in memory counted.
    pub(super) end: u64,
    /// Up to here the file has blocks: zeros, or a recycled file's old bytes.
    pub(super) filled: u64,
    /// Set once its successor was begun. If that fails for want of room, its header may stand there
    /// all the same, and says that no further frame is here.
    pub(super) is_closed: bool,
}

impl<D: Disk> Journal<D> {
    /// Makes a new, empty journal: the directory, the first segment and `HEAD`, each synced.
    ///
    /// The owner's mark that the store is complete (`FORMAT`) comes after it. Without that mark an
    /// unfinished journal is made anew by the same call; one that holds frames never is
    /// ([`JournalError::Occupied`]).
    pub fn create(disk: D, dir: &Path, options: Options) -> Result<(), JournalError> {
        disk.create_dir(dir).at("make", dir)?;
        if recovery::holds_frames(&disk, dir)? {
            return Err(JournalError::Occupied { dir: dir.to_owned() });
        }
        let header = segment::Header {
            store: options.store,
            number: 1,
            first: 1,
            before: options.store,
            origin: Origin::Fresh,
        };
        let path = segment::path(dir, 1);
        let file = disk.create(&path).at("create", &path)?;
        file.write_at(&header.encode(), 0).at("write", &path)?;
        file.sync().at("sync", &path)?;
        let record = Record { newest: 1, first_live: 1, durable: 0, hash: options.store };
        Head::create(&disk, dir, options.store, record)?;
        disk.sync_dir(dir).at("sync", dir)
    }

    /// Opens a journal and replays its frames.
    ///
    /// `from` is the first sequence that the owner still needs: its checkpoint + 1, which must be
    /// durable, or [`FROM_FIRST_LIVE`](super::FROM_FIRST_LIVE). Each frame from there on is handed
    /// to `replay`, in order; its error ends the opening. Nothing that `replay` saw may be shown
    /// before this call returns: only then is all of it durable. Memory: one segment, or the
    /// largest frame.
    ///
    /// Errors: [`Damaged`](JournalError::Damaged) and [`Lost`](JournalError::Lost), with nothing
    /// changed on disk.
    pub fn open(
        disk: D,
        dir: &Path,
        options: Options,
        from: u64,
        replay: impl FnMut(Frame<'_>) -> Result<(), JournalError>,
    ) -> Result<Self, JournalError> {
        let recovered = recovery::recover(&disk, dir, &options, from, replay)?;
        let durable = recovered.last;
        Ok(Self {
            disk,
            dir: dir.to_owned(),
            options,
            first_live: recovered.head.record().first_live,
            head: recovered.head,
            live: recovered.live,
            spares: VecDeque::new(),
            tail: recovered.tail,
            pending: Vec::new(),
            appended: durable,
            durable,
            poison: None,
        })
    }

    /// Appends one frame, un-synced.
    ///
    /// Entering a new segment syncs the frames before; [`durable`](Self::durable) then advances.
    pub fn append(&mut self, payload: &[u8]) -> Result<Place, JournalError> {
        self.append_parts(&[payload])
    }

    /// Appends one frame whose payload is `parts`, one after the other.
    pub fn append_parts(&mut self, parts: &[&[u8]]) -> Result<Place, JournalError> {
        self.check()?;
        let placed = self.place(parts);
        self.guard(placed)
    }

    /// Makes all appended frames durable and returns the last durable sequence, which may now be
    /// acknowledged.
    pub fn sync(&mut self, head: HeadSync) -> Result<u64, JournalError> {
        self.check()?;
        let synced = self.sync_frames().and_then(|()| match head {
            HeadSync::Write => Ok(()),
            HeadSync::Sync => self.head.sync(),
        });
        self.guard(synced)?;
        Ok(self.durable.sequence)
    }

    /// The last durable sequence; 0 if there is none.
    pub fn durable(&self) -> u64 {
        self.durable.sequence
    }

    /// The sequence of the next frame.
    pub fn next_sequence(&self) -> u64 {
        self.appended.sequence + 1
    }

    /// The live segments, oldest first.
    pub fn segments(&self) -> Vec<Segment> {
        self.live.lock().values().copied().collect()
    }

    /// A handle that reads durable bytes beside the journal.
    pub fn reader(&self) -> Reader<D> {
        Reader {
            disk: self.disk.clone(),
            dir: self.dir.clone(),
            store: self.options.store,
            live: self.live.clone(),
        }
    }

    fn check(&self) -> Result<(), JournalError> {
        match &self.poison {
            Some(cause) => Err(JournalError::Poisoned { cause: cause.clone() }),
            None => Ok(()),
        }
    }

    /// Remembers the first failure.
    fn guard<T>(&mut self, result: Result<T, JournalError>) -> Result<T, JournalError> {
        if let Err(error) = &result
            && error.poisons()
        {
            self.poison = Some(Box::new(error.clone()));
        }
        result
    }

    fn place(&mut self, parts: &[&[u8]]) -> Result<Place, JournalError> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let max = self.options.frame_bytes_max.min(u32::MAX as usize);
        let Some(length_field) = u32::try_from(length).ok().filter(|_| length <= max) else {
            return Err(JournalError::TooLarge { bytes: length as u64, max: max as u64 });
        };
        let size = frame::size(length);
        let is_too_large = self.tail.end + size > self.options.segment_bytes;
        if self.tail.is_closed || (is_too_large && self.tail.end > FRAMES_AT) {
            self.enter_segment()?;
        }
        self.fill_ahead(size)?;
        let header = frame::Header {
            length: length_field,
            payload_crc: frame::crc(self.options.store, parts),
            sequence: self.next_sequence(),
            before: self.appended.hash,
            durable: self.durable.sequence,
            nonce: self.options.nonce,
        };
        let header_bytes = header.encode(self.options.store);
        let offset = self.tail.end + HEADER_BYTES as u64;
        self.pending.extend_from_slice(&header_bytes);
        if length < WRITE_THROUGH_BYTES {
            parts.iter().for_each(|part| self.pending.extend_from_slice(part));
        } else {
            self.write_through(parts)?;
        }
        self.pending.resize(self.pending.len() + length.next_multiple_of(frame::ALIGN) - length, 0);
        self.tail.end += size;
        self.appended = Link { sequence: header.sequence, hash: frame::hash(&header_bytes, parts) };
        if self.pending.len() >= PENDING_BYTES_MAX {
            self.write_pending()?;
        }
        Ok(Place {
            sequence: header.sequence,
            segment: self.tail.number,
            offset,
            length: length as u64,
        })
    }

    /// Writes what is pending and the payload behind it, without copying the payload.
    fn write_through(&mut self, parts: &[&[u8]]) -> Result<(), JournalError> {
        let mut at = self.tail.end + HEADER_BYTES as u64;
        let start = at - self.pending.len() as u64;
        self.tail.file.write_at(&self.pending, start).at("write", &self.tail.path)?;
        self.pending.clear();
        for part in parts {
            self.tail.file.write_at(part, at).at("write", &self.tail.path)?;
            at += part.len() as u64;
        }
        Ok(())
    }

    /// Writes the pending bytes, which end where the next frame begins.
    fn write_pending(&mut self) -> Result<(), JournalError> {
        let start = self.tail.end - self.pending.len() as u64;
        self.pending.extend_from_slice(&END);
        self.tail.file.write_at(&self.pending, start).at("write", &self.tail.path)?;
        self.pending.clear();
        // One burst must not hold its memory for good.
        self.pending.shrink_to(PENDING_BYTES_MAX);
        self.tail.filled = self.tail.filled.max(self.tail.end + END.len() as u64);
        Ok(())
    }

    /// Writes zeros where the next `size` bytes, the end behind them, and more will come. A full
    /// disk shows here, before any byte of the frame.
    fn fill_ahead(&mut self, size: u64) -> Result<(), JournalError> {
        let wanted = self.tail.end + size + END.len() as u64;
        if self.options.zero_ahead_bytes == 0 || wanted <= self.tail.filled {
            return Ok(());
        }
        // Those before may have grown the file without zeros.
        let from = self.tail.filled.max(self.tail.end);
        let ahead = from.saturating_add(self.options.zero_ahead_bytes);
        let to = ahead.min(self.options.segment_bytes).max(wanted);
        write_zeros(&self.tail.file, from, to)
            .at("write", &self.tail.path)
            .map_err(JournalError::repeatable)?;
        self.tail.filled = to;
        Ok(())
    }

    /// Write, sync, `HEAD`; then the frames count as durable.
    fn sync_frames(&mut self) -> Result<(), JournalError> {
        if self.appended != self.durable {
            self.write_pending()?;
            self.tail.file.sync().at("sync", &self.tail.path)?;
            self.durable = self.appended;
            self.live.set(self.tail.segment());
        }
        self.write_head()
    }

    fn write_head(&mut self) -> Result<(), JournalError> {
        self.head.write(Record {
            newest: self.tail.number,
            first_live: self.first_live,
            durable: self.durable.sequence,
            hash: self.durable.hash,
        })
    }
}

impl<F> Tail<F> {
    /// As a live segment, all of whose frames are durable.
    pub(super) fn segment(&self) -> Segment {
        Segment { number: self.number, first: self.first, bytes: self.end }
    }
}
