//! The reading side: goes through the frames in the order in which they were published.
//!
//! A frame is fetched once, for all partitions that the consumer reads: from memory if it is one
//! of the newest, else from the disk, several at a time. Records are slices of their frame, and so
//! keep it in memory until the last of them is dropped.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use super::error::{EmbeddedError, journal_failed};
use super::frame::{self, Road};
use super::frames::Found;
use super::handle::Handle;
use super::shared::State;
use super::writer::Command;
use crate::broker::{BrokerError, Consumer, Lost, Record};
use crate::committed::Committed;
use crate::journal::{JournalError, Place};
use crate::stream::PartitionId;
use crate::tasks;

/// Bytes that one reading from the disk takes, unless a single frame is larger.
const READ_BYTES: u64 = 1 << 20;

pub(super) struct EmbeddedConsumer {
    pub(super) handle: Arc<Handle>,
    pub(super) name: Arc<str>,
    pub(super) subscription: u64,
    /// The partitions, sorted by road: in the order of the registration.
    pub(super) partitions: Vec<Reading>,
    /// The rest of the frame that was begun.
    pub(super) open: VecDeque<OpenRun>,
    /// Frames from the disk that come next, each with its sequence.
    pub(super) ahead: VecDeque<(u64, Bytes)>,
    pub(super) changed: watch::Receiver<()>,
    /// Where it began.
    pub(super) starts: Vec<(Arc<PartitionId>, u64)>,
    pub(super) lost: Vec<Lost>,
}

/// How far one partition is read.
pub(super) struct Reading {
    pub(super) road: Road,
    pub(super) id: Arc<PartitionId>,
    pub(super) next: u64,
    pub(super) is_paused: bool,
}

/// Records of a frame that were not handed over yet.
pub(super) struct OpenRun {
    /// Index of the partition.
    partition: usize,
    end: u64,
    records: Bytes,
    at: usize,
}

/// What is to be done when all that is at hand was taken.
enum Next {
    /// A frame was opened.
    Opened,
    /// It must be read from the disk.
    Read(Vec<Place>),
    /// There is none.
    Wait,
}

/// Records taken so far, and the limits.
struct Taken {
    records: Vec<Record>,
    bytes: usize,
    records_max: usize,
    bytes_max: usize,
}

impl Drop for EmbeddedConsumer {
    fn drop(&mut self) {
        self.handle.shared.lock().registrations.leave(&self.name, self.subscription);
        self.handle.shared.announce();
    }
}

impl EmbeddedConsumer {
    /// Hands over records of the open runs; whether there is room for more.
    fn take_open(&mut self, taken: &mut Taken) -> Result<bool, EmbeddedError> {
        while let Some(run) = self.open.front_mut() {
            let Some(reading) = self.partitions.get_mut(run.partition) else { break };
            // One that is paused is opened again where it was left.
            while reading.next < run.end && !reading.is_paused {
                if taken.records.len() >= taken.records_max {
                    return Ok(false);
                }
                let fields = frame::record(&run.records, run.at)?;
                let size = fields.size - frame::RECORD_BYTES;
                if taken.bytes.saturating_add(size) > taken.bytes_max && !taken.records.is_empty() {
                    return Ok(false);
                }
                taken.bytes += size;
                run.at += fields.size;
                taken.records.push(Record {
                    partition: Arc::clone(&reading.id),
                    offset: reading.next,
                    token: reading.next,
                    key: fields.key,
                    headers: fields.headers,
                    body: fields.body,
                });
                reading.next += 1;
            }
            self.open.pop_front();
        }
        Ok(true)
    }

    /// Finds the oldest frame with something to read, and opens it if it is in memory.
    fn open_next(&mut self) -> Result<Next, BrokerError> {
        let handle = Arc::clone(&self.handle);
        let state = handle.shared.running()?;
        self.check_current(&state)?;
        let frame_of =
            |reading: &Reading| state.topics.partition(reading.road)?.frame_of(reading.next);
        let going = self.partitions.iter().filter(|reading| !reading.is_paused);
        let Some(sequence) = going.filter_map(frame_of).min() else {
            return Ok(Next::Wait);
        };
        while self.ahead.front().is_some_and(|&(ahead, _)| ahead < sequence) {
            self.ahead.pop_front();
        }
        if self.ahead.front().is_some_and(|&(ahead, _)| ahead == sequence)
            && let Some((_, frame)) = self.ahead.pop_front()
        {
            drop(state);
            return self.open_frame(&frame).map(|()| Next::Opened);
        }
        match state.frames.find(sequence, READ_BYTES) {
            Some(Found::Cached(frame)) => {
                drop(state);
                self.open_frame(&frame).map(|()| Next::Opened)
            }
            Some(Found::OnDisk(places)) => Ok(Next::Read(places)),
            None => Err(EmbeddedError::Frame("the index has lost it").into()),
        }
    }

    fn open_frame(&mut self, frame: &Bytes) -> Result<(), BrokerError> {
        for (run, records) in frame::runs(frame)? {
            let found = self.partitions.binary_search_by_key(&run.road, |reading| reading.road);
            let Ok(index) = found else { continue };
            let Some(reading) = self.partitions.get_mut(index) else { continue };
            if reading.next >= run.end() || reading.is_paused {
                continue;
            }
            if reading.next < run.first {
                // Only what nobody needs any more is dropped; should it happen, say so.
                let (partition, first) = (PartitionId::clone(&reading.id), reading.next);
                self.lost.push(Lost { partition, first, next: run.first });
                reading.next = run.first;
            }
            let (records, mut at) = (frame.slice(records), 0);
            for _ in run.first..reading.next {
                let cut = EmbeddedError::Frame("a record ends too early");
                at = frame::skip(&records, at).ok_or(cut)?;
            }
            self.open.push_back(OpenRun { partition: index, end: run.end(), records, at });
        }
        if self.open.is_empty() {
            return Err(EmbeddedError::Frame("it does not hold what the index says").into());
        }
        Ok(())
    }

    /// Reads frames from the disk. Dropped on the way, nothing was taken.
    async fn read(&mut self, places: Vec<Place>) -> Result<(), BrokerError> {
        let shared = Arc::clone(&self.handle.shared);
        let read = move || {
            let mut frames = VecDeque::new();
            for place in places {
                match shared.reader.payload(place) {
                    Ok(payload) => frames.push_back((place.sequence, Bytes::from(payload))),
                    // What was read before it comes first.
                    Err(_) if !frames.is_empty() => break,
                    Err(error) => return Err(error),
                }
            }
            Ok(frames)
        };
        match tasks::blocking(read).await.ok() {
            Some(Ok(frames)) => self.ahead = frames,
            // Released meanwhile: the index says what comes instead.
            Some(Err(JournalError::NotLive { .. })) => {}
            Some(Err(error)) => return Err(journal_failed(error)),
            None => return Err(BrokerError::Closed("the runtime is shutting down".into())),
        }
        Ok(())
    }

    fn set_paused(&mut self, partition: &PartitionId, is_paused: bool) {
        let reading = self.partitions.iter_mut().find(|reading| *reading.id == *partition);
        if let Some(reading) = reading {
            reading.is_paused = is_paused;
        }
    }

    fn check_current(&self, state: &State) -> Result<(), BrokerError> {
        if state.registrations.is_current(&self.name, self.subscription) {
            return Ok(());
        }
        Err(BrokerError::Closed("a second subscription of this name took over".into()))
    }

    /// Takes what is at hand; places to be read if that is nothing yet.
    fn take(&mut self, taken: &mut Taken) -> Result<Next, BrokerError> {
        self.check_current(&*self.handle.shared.running()?)?;
        loop {
            if !self.take_open(taken)? {
                return Ok(Next::Wait);
            }
            match self.open_next()? {
                Next::Opened => {}
                next => return Ok(next),
            }
        }
    }
}

#[async_trait]
impl Consumer for EmbeddedConsumer {
    async fn fetch(
        &mut self,
        records_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Record>, BrokerError> {
        let records_max = records_max.max(1);
        loop {
            self.changed.mark_unchanged();
            let mut taken = Taken { records: Vec::new(), bytes: 0, records_max, bytes_max };
            let next = self.take(&mut taken);
            if !taken.records.is_empty() {
                // What came in the way, be it an error, comes again with the next call.
                return Ok(taken.records);
            }
            match next? {
                Next::Read(places) => self.read(places).await?,
                Next::Opened | Next::Wait => {
                    let gone = |_| BrokerError::Closed("it was dropped".into());
                    self.changed.changed().await.map_err(gone)?;
                }
            }
        }
    }

    async fn settle(&mut self, committed: &[Committed]) -> Result<(), BrokerError> {
        let shared = &self.handle.shared;
        let mut state = shared.running()?;
        self.check_current(&state)?;
        for (index, first, last) in runs(&self.partitions, committed) {
            state.registrations.settle(&self.name, index, first, last);
        }
        let releasable = state.releasable(&shared.options).is_some();
        drop(state);
        if releasable {
            // If the queue is full, the writer is busy, and looks by itself when it is done.
            let _ = self.handle.tell(Command::Release);
        }
        shared.space.send_replace(());
        Ok(())
    }

    fn starts(&self) -> Vec<(Arc<PartitionId>, u64)> {
        self.starts.clone()
    }

    fn lost(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.lost)
    }

    fn pause(&mut self, partition: &PartitionId) {
        self.set_paused(partition, true);
    }

    fn resume(&mut self, partition: &PartitionId) {
        self.set_paused(partition, false);
    }
}

/// The settled records as runs: index of the partition, first and last offset. They come nearly
/// in order, so most of them only lengthen the run before.
fn runs(partitions: &[Reading], committed: &[Committed]) -> Vec<(usize, u64, u64)> {
    let mut runs: Vec<(usize, u64, u64)> = Vec::new();
    let mut last_id: Option<(&Arc<PartitionId>, Option<usize>)> = None;
    for record in committed.iter().map(Committed::record) {
        let index = match last_id {
            Some((id, index)) if Arc::ptr_eq(id, &record.partition) => index,
            _ => partitions
                .iter()
                .position(|reading| Arc::ptr_eq(&reading.id, &record.partition))
                .or_else(|| partitions.iter().position(|reading| reading.id == record.partition)),
        };
        last_id = Some((&record.partition, index));
        let Some(index) = index else { continue };
        match runs.last_mut() {
            Some(run) if run.0 == index && run.2.checked_add(1) == Some(record.offset) => {
                run.2 = record.offset;
            }
            _ => runs.push((index, record.offset, record.offset)),
        }
    }
    runs
}
