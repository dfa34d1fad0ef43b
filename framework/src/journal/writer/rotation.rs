//! From segment to segment: entering a new one, letting go of old ones.

use super::{END, Journal, Tail};
use crate::journal::{
    disk::{Disk, DiskFile},
    error::{At, JournalError},
    segment::{self, FRAMES_AT, Origin},
    tail::index,
};

impl<D: Disk> Journal<D> {
    /// Lets go of the segments whose frames are all older than sequence `below`.
    ///
    /// `below` - 1 must be durable where the owner keeps it (checkpointed, or copied forward and
    /// synced here). `HEAD` names the new first segment durably before a file is dropped.
    pub fn release(&mut self, below: u64) -> Result<(), JournalError> {
        self.check()?;
        let below = below.min(self.durable.sequence + 1);
        // A segment's frames end where the next one's begin; the tail always stays.
        let first_live = {
            let live = self.live.lock();
            live.values().rev().find(|segment| segment.first <= below).map(|live| live.number)
        };
        let Some(first_live) = first_live.filter(|&number| number > self.first_live) else {
            return Ok(());
        };
        let released = self.release_before(first_live);
        self.guard(released)
    }

    fn release_before(&mut self, first_live: u64) -> Result<(), JournalError> {
        self.first_live = first_live;
        self.write_head()?;
        self.head.sync()?;
        let released = {
            let mut live = self.live.lock();
            let kept = live.split_off(&first_live);
            std::mem::replace(&mut *live, kept)
        };
        for segment in released.values() {
            // A file made for one large frame would keep its size for ever.
            if segment.bytes <= self.options.segment_bytes {
                self.spares.push_back(segment.number);
            } else {
                self.remove(segment.number)?;
            }
        }
        while self.spares.len() > self.options.spare_segments_max {
            let Some(number) = self.spares.pop_front() else { break };
            self.remove(number)?;
        }
        Ok(())
    }

    fn remove(&self, number: u64) -> Result<(), JournalError> {
        let path = segment::path(&self.dir, number);
        self.disk.remove(&path).at("remove", &path)
    }

    /// Goes on in a new segment. The old one is synced before the new one's header is written, and
    /// that is durable before a frame follows it: so a readable header proves all frames before it.
    pub(super) fn enter_segment(&mut self) -> Result<(), JournalError> {
        self.sync_frames()?;
        self.tail.is_closed = true;
        let number = self.tail.number + 1;
        let path = segment::path(&self.dir, number);
        let (file, origin) = match self.spares.pop_front() {
            Some(spare) => {
                let old = segment::path(&self.dir, spare);
                self.disk.rename(&old, &path).at("rename", &old)?;
                (self.disk.open(&path).at("open", &path)?, Origin::Recycled)
            }
            None => {
                let file = self.disk.create(&path).at("create", &path);
                (file.map_err(JournalError::repeatable)?, Origin::Fresh)
            }
        };
        let header = segment::Header {
            store: self.options.store,
            number,
            first: self.next_sequence(),
            before: self.appended.hash,
            origin,
        };
        let mut page = header.encode();
        page.resize(index(FRAMES_AT) + END.len(), 0);
        let written = file.write_at(&page, 0).at("write", &path);
        written.map_err(JournalError::repeatable)?;
        file.sync().at("sync", &path)?;
        self.disk.sync_dir(&self.dir).at("sync", &self.dir)?;
        let filled = file.size().at("read", &path)?;
        let (first, end) = (header.first, FRAMES_AT);
        self.tail = Tail { file, path, number, first, end, filled, is_closed: false };
        self.live.set(self.tail.segment());
        self.write_head()?;
        self.head.sync()
    }
}
