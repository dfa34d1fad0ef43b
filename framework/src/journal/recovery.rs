//! Opening: which frames count, and making them durable before anything is shown.

use std::path::Path;

use super::{
    FROM_FIRST_LIVE, Frame, Options,
    disk::{Disk, DiskFile},
    error::{At, Damage, JournalError},
    frame::{self, HEADER_BYTES},
    head::{Head, Record},
    segment::{self, FRAMES_AT, Header, Live, Segment},
    tail,
    writer::{Link, Tail},
};

/// What the writer goes on from.
pub(super) struct Recovered<F> {
    pub(super) head: Head<F>,
    pub(super) live: Live,
    pub(super) tail: Tail<F>,
    pub(super) last: Link,
}

/// A segment's file as it was found.
pub(super) struct Found {
    pub(super) number: u64,
    pub(super) header: Result<Header, Damage>,
}

/// What reading the segments came to. Nothing on disk was changed for it.
pub(super) struct Read {
    pub(super) live: Vec<Segment>,
    pub(super) last: Link,
    /// Segment and offset of the first frame that `HEAD` does not know.
    pub(super) unknown: Option<(u64, u64)>,
    /// The tail segment: its header, and its whole content.
    pub(super) header: Header,
    pub(super) bytes: Vec<u8>,
    /// Where its frames end.
    pub(super) end: u64,
    /// A newest segment that was begun, but never entered.
    pub(super) unborn: Option<u64>,
}

/// Whether a directory holds a journal in which something was written. For a store that was never
/// completely made; its id is not known then.
pub(super) fn holds_frames<D: Disk>(disk: &D, dir: &Path) -> Result<bool, JournalError> {
    for number in segment::list(disk, dir)? {
        let bytes = segment::read(disk, dir, number)?;
        let frames = bytes.get(tail::index(FRAMES_AT)..).unwrap_or_default();
        if number != 1 || frames.iter().any(|&byte| byte != 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads the journal, refuses a damaged one, and makes durable what is accepted.
pub(super) fn recover<D: Disk>(
    disk: &D,
    dir: &Path,
    options: &Options,
    from: u64,
    replay: impl FnMut(Frame<'_>) -> Result<(), JournalError>,
) -> Result<Recovered<D::File>, JournalError> {
    let head = Head::open(disk, dir, options.store)?;
    let record = head.record();
    let mut found = Vec::new();
    for number in segment::list(disk, dir)? {
        let header = Header::read(disk, dir, options.store, number)?;
        found.push(Found { number, header });
    }
    let start = start(dir, &found, from, record)?;
    let (older, live) = found.split_at(start);
    let mut scan = Scan::new(disk, dir, options.store, record, from, replay);
    let read = scan.read(live)?;
    tail::judge(dir, options.store, &record, from, &read)?;
    accept(disk, dir, options, head, older, read)
}

/// The index of the segment to begin with: the newest one that still begins at or below `from`.
/// Older ones were released; they may have gaps, and bytes of their successors.
fn start(dir: &Path, found: &[Found], from: u64, head: Record) -> Result<usize, JournalError> {
    let reaches = |found: &Found| match (&found.header, from) {
        (_, FROM_FIRST_LIVE) => found.number == head.first_live,
        (Ok(header), _) => header.first <= from,
        (Err(_), _) => false,
    };
    if let Some(start) = found.iter().rposition(reaches) {
        return Ok(start);
    }
    // Without a start, either the oldest segment is damaged or the records are gone.
    Err(match found.first() {
        Some(Found { number, header: Err(reason) }) => {
            JournalError::damaged(segment::path(dir, *number), 0, *reason)
        }
        Some(Found { header: Ok(header), .. }) if from != FROM_FIRST_LIVE => {
            JournalError::Lost { first: from, last: header.first - 1, dir: dir.to_owned() }
        }
        _ => JournalError::damaged(segment::path(dir, head.first_live), 0, Damage::Missing),
    })
}

/// The reading of the live segments, in order.
struct Scan<'a, D, R> {
    disk: &'a D,
    dir: &'a Path,
    store: u64,
    head: Record,
    from: u64,
    replay: R,
    last: Link,
    unknown: Option<(u64, u64)>,
}

impl<'a, D, R> Scan<'a, D, R>
where
    D: Disk,
    R: FnMut(Frame<'_>) -> Result<(), JournalError>,
{
    fn new(disk: &'a D, dir: &'a Path, store: u64, head: Record, from: u64, replay: R) -> Self {
        let last = Link { sequence: 0, hash: store };
        Self { disk, dir, store, head, from, replay, last, unknown: None }
    }

    /// Reads segments up to the first frame that does not count.
    fn read(&mut self, found: &[Found]) -> Result<Read, JournalError> {
        let mut live: Vec<Segment> = Vec::new();
        let mut found = found.iter().peekable();
        loop {
            let Some(Found { number, header }) = found.next() else {
                let missing = segment::path(self.dir, self.head.newest);
                return Err(JournalError::damaged(missing, 0, Damage::Missing));
            };
            let path = segment::path(self.dir, *number);
            let header = match header {
                Ok(header) => *header,
                Err(reason) => return Err(JournalError::damaged(path, 0, *reason)),
            };
            self.continues(&header, live.last())?;
            let bytes = segment::read(self.disk, self.dir, *number)?;
            let end = self.frames(&header, &bytes)?;
            live.push(Segment { number: *number, first: header.first, bytes: end });
            let unborn = match found.peek() {
                None => None,
                // A segment is made only in a durable predecessor's wake: numbers are dense.
                Some(next) if next.number != number + 1 => {
                    let missing = segment::path(self.dir, number + 1);
                    return Err(JournalError::damaged(missing, 0, Damage::Missing));
                }
                Some(Found { header: Ok(_), .. }) => continue,
                Some(next) => {
                    let next = next.number;
                    found.next();
                    self.is_unborn(next, found.next().is_some())?;
                    Some(next)
                }
            };
            let (last, unknown) = (self.last, self.unknown);
            return Ok(Read { live, last, unknown, header, bytes, end, unborn });
        }
    }

    /// A segment must begin where the one before ends: it was synced before this header was
    /// written, so what is missing between them was durable.
    fn continues(&mut self, header: &Header, before: Option<&Segment>) -> Result<(), JournalError> {
        let begins = Link { sequence: header.first - 1, hash: header.before };
        match before {
            Some(before) if begins != self.last => {
                let sequence = self.last.sequence + 1;
                let reason = Damage::Chain { sequence, next: header.first };
                let path = segment::path(self.dir, before.number);
                return Err(JournalError::damaged(path, before.bytes, reason));
            }
            _ => self.last = begins,
        }
        self.agrees_with_head(header.number, 0)?;
        let unknown_header = header.number > self.head.newest;
        if unknown_header && self.unknown.is_none() {
            self.unknown = Some((header.number, FRAMES_AT));
        }
        Ok(())
    }

    /// Reads the frames of a segment; returns where they end.
    fn frames(&mut self, header: &Header, bytes: &[u8]) -> Result<u64, JournalError> {
        let mut at = FRAMES_AT;
        loop {
            let rest = bytes.get(tail::index(at)..).unwrap_or_default();
            let Some(intact) = frame::decode(rest, self.store) else { return Ok(at) };
            let sequence = self.last.sequence + 1;
            if intact.header.sequence != sequence || intact.header.before != self.last.hash {
                return Ok(at);
            }
            self.last = Link { sequence, hash: intact.hash };
            self.agrees_with_head(header.number, at)?;
            if sequence > self.head.durable && self.unknown.is_none() {
                self.unknown = Some((header.number, at));
            }
            if sequence >= self.from {
                let offset = at + HEADER_BYTES as u64;
                let segment = header.number;
                (self.replay)(Frame { sequence, segment, offset, payload: intact.payload })?;
            }
            at += frame::size(intact.payload.len());
        }
    }

    /// The frame that `HEAD` names must be the one that it remembers.
    fn agrees_with_head(&self, number: u64, at: u64) -> Result<(), JournalError> {
        let Link { sequence, hash } = self.last;
        if sequence == self.head.durable && hash != self.head.hash {
            let path = segment::path(self.dir, number);
            return Err(JournalError::damaged(path, at, Damage::OtherFrame { sequence }));
        }
        Ok(())
    }

    /// Whether segment `number`, whose header is unreadable, was never entered: nothing knows it,
    /// and no frame of the time to come is in it.
    fn is_unborn(&self, number: u64, followed: bool) -> Result<(), JournalError> {
        let bytes = segment::read(self.disk, self.dir, number)?;
        let next = self.last.sequence + 1;
        let holds_frames = || frame::find(&bytes, self.store, |header| header.sequence >= next);
        if followed || number <= self.head.newest || holds_frames().is_some() {
            let path = segment::path(self.dir, number);
            return Err(JournalError::damaged(path, 0, Damage::Header));
        }
        Ok(())
    }
}

/// Makes what was read durable, cuts off a torn tail, and drops what is no longer needed.
fn accept<D: Disk>(
    disk: &D,
    dir: &Path,
    options: &Options,
    mut head: Head<D::File>,
    older: &[Found],
    read: Read,
) -> Result<Recovered<D::File>, JournalError> {
    head.rewrite()?;
    tail::keep_evidence(disk, dir, options, &read)?;
    let mut file = None;
    for segment in &read.live {
        let path = segment::path(dir, segment.number);
        let opened = disk.open(&path).at("open", &path)?;
        rewrite_unknown(dir, &opened, &read, segment)?;
        if segment.number == read.header.number {
            tail::cut_off(&opened, &read).at("write", &path)?;
        }
        opened.sync().at("sync", &path)?;
        file = Some(opened);
    }
    if let Some(unborn) = read.unborn {
        let path = segment::path(dir, unborn);
        disk.remove(&path).at("remove", &path)?;
    }
    disk.sync_dir(dir).at("sync", dir)?;
    let number = read.header.number;
    let first_live = read.live.first().map_or(number, |first| first.number);
    let Link { sequence: durable, hash } = read.last;
    head.write(Record { newest: number, first_live, durable, hash })?;
    head.sync()?;
    for found in older {
        let path = segment::path(dir, found.number);
        disk.remove(&path).at("remove", &path)?;
    }
    let live = Live::default();
    read.live.iter().for_each(|segment| live.set(*segment));
    let path = segment::path(dir, number);
    // There is always a tail: reading found at least one segment.
    let Some(file) = file else {
        return Err(JournalError::damaged(path, 0, Damage::Missing));
    };
    let filled = file.size().at("read", &path)?;
    let (first, end) = (read.header.first, read.end);
    let tail = Tail { file, path, number, first, end, filled, is_closed: false };
    Ok(Recovered { head, live, tail, last: read.last })
}

/// Writes again, byte for byte, what `HEAD` does not know to be durable. After a failed sync it may
/// stand in the cache only, and clean: a sync alone would then write nothing.
fn rewrite_unknown(
    dir: &Path,
    file: &impl DiskFile,
    read: &Read,
    segment: &Segment,
) -> Result<(), JournalError> {
    const BLOCK: u64 = 1 << 20;
    let Some((number, offset)) = read.unknown else { return Ok(()) };
    let mut at = match segment.number.cmp(&number) {
        std::cmp::Ordering::Less => return Ok(()),
        // The first frame of a segment may be unknown because its header is.
        std::cmp::Ordering::Equal if offset > FRAMES_AT => offset,
        _ => 0,
    };
    let path = segment::path(dir, segment.number);
    while at < segment.bytes {
        let length = (segment.bytes - at).min(BLOCK);
        let mut bytes = vec![0; tail::index(length)];
        // A segment without frames may end before its first frame would begin.
        let length = file.size().at("read", &path)?.saturating_sub(at).min(length);
        bytes.truncate(tail::index(length));
        if bytes.is_empty() {
            break;
        }
        file.read_at(&mut bytes, at).at("read", &path)?;
        file.write_at(&bytes, at).at("write", &path)?;
        at += length;
    }
    Ok(())
}
