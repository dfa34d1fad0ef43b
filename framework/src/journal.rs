//! The journal: what is durable first. An append-only file in segments, chained by hash.
//!
//! The sled store and the embedded broker each keep one. A frame is one commit group; it becomes
//! durable with the [`Journal::sync`] that follows it, and many frames may share a sync. Opening
//! tells a *torn tail* (frames that were never acknowledged: cut off, a copy is kept) from *damage*
//! (frames that were: refused with file, offset and remedy).
//!
//! ```
//! use framework::journal::{HeadSync, Journal, Options, RealDisk};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let home = tempfile::tempdir()?;
//! let dir = home.path().join("journal");
//! let options = Options::new(0x5707e, 0x0becc); // Random numbers: the store's id, this opening.
//! Journal::create(RealDisk, &dir, options)?;
//!
//! let mut journal = Journal::open(RealDisk, &dir, options, 1, |_| Ok(()))?;
//! let place = journal.append(b"deposit 50")?;
//! assert_eq!(journal.sync(HeadSync::Write)?, place.sequence);
//! drop(journal);
//!
//! let mut seen = Vec::new();
//! Journal::open(RealDisk, &dir, options, 1, |frame| {
//!     seen.push(frame.payload.to_vec());
//!     Ok(())
//! })?;
//! assert_eq!(seen, [b"deposit 50"]);
//! # Ok(()) }
//! ```
//!
//! What is deliberately absent: time and randomness (both are handed in), threads (every call
//! blocks; call from a blocking thread), locking of the directory (the owner's), and any retry of a
//! failed sync.

mod disk;
mod error;
mod fields;
mod frame;
mod head;
mod reader;
mod recovery;
mod segment;
mod tail;
mod writer;

#[cfg(test)]
mod tests;

pub use self::{
    disk::{Disk, DiskFile, RealDisk},
    error::{Damage, JournalError},
    reader::Reader,
    segment::Segment,
    writer::{HeadSync, Journal},
};

/// Opens at the first live segment that `HEAD` names, for an owner that keeps no checkpoint of its
/// own: the `from` of [`Journal::open`].
pub const FROM_FIRST_LIVE: u64 = 0;

/// Limits and identities of a journal.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The store's random id, made with the store. It seeds every checksum, and another store's
    /// files are refused.
    pub store: u64,
    /// A random number of this opening, carried by its frames: what is written again after a torn
    /// tail was cut off is never taken for what was cut off.
    pub nonce: u64,
    /// Size from which a segment is full. Default 64 MiB. May differ from opening to opening. A
    /// frame that does not fit gets a segment of its own.
    pub segment_bytes: u64,
    /// The largest payload. Default 256 MiB, at most 4 GiB. More is
    /// [`JournalError::TooLarge`], and nothing is written.
    pub frame_bytes_max: usize,
    /// Zeros are written this far ahead of the frames in a new segment, so that a sync need not
    /// grow the file. Default 1 MiB; 0 turns it off. For speed, and to notice a full disk before
    /// a frame is begun ([`JournalError::NoRoom`]).
    pub zero_ahead_bytes: u64,
    /// Released segments that are kept to be written again, for speed. Default 4; more are removed.
    pub spare_segments_max: usize,
    /// Copies of torn tails that are kept as `torn-<segment>-<offset>-<nonce>`. Default 8; when
    /// there are more, the one lowest in the journal is removed.
    pub torn_tails_max: usize,
}

impl Options {
    /// The defaults, with the random id of the store and a random number of this opening.
    pub fn new(store: u64, nonce: u64) -> Self {
        Self {
            store,
            nonce,
            segment_bytes: 64 << 20,
            frame_bytes_max: 256 << 20,
            zero_ahead_bytes: 1 << 20,
            spare_segments_max: 4,
            torn_tails_max: 8,
        }
    }
}

/// A frame as it is replayed on opening.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Frame<'a> {
    /// Its sequence: dense, from 1.
    pub sequence: u64,
    /// The segment that holds it.
    pub segment: u64,
    /// Offset of the payload in the segment's file, in bytes.
    pub offset: u64,
    /// What was appended.
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// Where the frame stands.
    pub fn place(&self) -> Place {
        Place {
            sequence: self.sequence,
            segment: self.segment,
            offset: self.offset,
            length: self.payload.len() as u64,
        }
    }
}

/// Where a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// Its sequence.
    pub sequence: u64,
    /// The segment that holds it.
    pub segment: u64,
    /// Offset of the payload in the segment's file, in bytes.
    pub offset: u64,
    /// Bytes of the payload.
    pub length: u64,
}
