//! A disk that is allowed everything that a real one may do: a power cut keeps any subset of
//! un-synced sectors, sizes and directory entries; a failed sync leaves the pages in the cache, and
//! clean, so that the next sync writes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};

use super::rng::Rng;
use crate::journal::{Disk, DiskFile};

const SECTOR: usize = 512;

/// What is done wrong on purpose, to see that the histories notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// Segments are never synced.
    SegmentSync,
    /// The directory is never synced.
    DirSync,
    /// `HEAD` is never synced.
    HeadSync,
    /// Bytes that are already in the cache are not written again.
    Rewrite,
    /// What is acknowledged was only appended (a flaw of the owner, not of the disk).
    EarlyAcknowledgement,
}

/// What happens when the fuse has burnt down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// That one operation fails, and leaves what such a failure leaves.
    Fail,
    /// The process dies in the middle of it.
    Kill,
    /// The disk is full for that one write; other operations do not mind.
    Full,
}

#[derive(Debug, Default)]
struct Inode {
    cache: Vec<u8>,
    disk: Vec<u8>,
    /// Sectors of the cache that are not on disk, and that the kernel knows of.
    dirty: BTreeSet<usize>,
    /// The file was emptied, but not yet on disk.
    is_emptied: bool,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    flaw: Flaw,
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    next_inode: u64,
    fuse: Option<(u32, Fault)>,
    is_dead: bool,
    has_fired: bool,
}

#[derive(Clone, Debug)]
pub(super) struct ModelDisk(Arc<Mutex<State>>);

#[derive(Debug)]
pub(super) struct ModelFile {
    disk: ModelDisk,
    inode: u64,
    is_head: bool,
}

impl ModelDisk {
    pub(super) fn new(seed: u64, flaw: Flaw) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng: Rng(seed),
            flaw,
            inodes: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            next_inode: 1,
            fuse: None,
            is_dead: false,
            has_fired: false,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Arms a fault for the operation that comes after `operations` others.
    pub(super) fn arm(&self, operations: u32, fault: Fault) {
        self.state().fuse = Some((operations, fault));
    }

    /// The process starts again. Whether a fault fired since the last start.
    pub(super) fn restart(&self) -> bool {
        let mut state = self.state();
        state.fuse = None;
        state.is_dead = false;
        std::mem::take(&mut state.has_fired)
    }

    pub(super) fn cut_power(&self) {
        let State { rng, inodes, names, durable_names, .. } = &mut *self.state();
        for inode in inodes.values_mut() {
            inode.lose(rng);
        }
        let all: BTreeSet<String> = names.keys().chain(durable_names.keys()).cloned().collect();
        for name in all {
            if rng.once_in(2) {
                match names.get(&name) {
                    Some(&inode) => durable_names.insert(name, inode),
                    None => durable_names.remove(&name),
                };
            }
        }
        *names = durable_names.clone();
        let used: BTreeSet<u64> = names.values().copied().collect();
        inodes.retain(|inode, _| used.contains(inode));
    }

    /// The content of all files, for a copy that is put back later.
    pub(super) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.state();
        state
            .names
            .iter()
            .map(|(name, id)| (name.clone(), state.inodes[id].cache.clone()))
            .collect()
    }

    /// Damages a file: cache and disk alike. `None` removes it.
    pub(super) fn put(&self, name: &str, content: Option<Vec<u8>>) {
        let state = &mut *self.state();
        match content {
            Some(content) => {
                let inode = state.inodes.get_mut(&state.names[name]).unwrap();
                *inode = Inode { cache: content.clone(), disk: content, ..Inode::default() };
            }
            None => {
                state.names.remove(name);
                state.durable_names.remove(name);
            }
        }
    }
}

impl State {
    /// Counts an operation. `Some` when it must fail.
    fn step(&mut self) -> Option<Fault> {
        if self.is_dead {
            return Some(Fault::Kill);
        }
        if self.rng.once_in(4) {
            self.write_back();
        }
        match &mut self.fuse {
            Some((0, fault)) => {
                let fault = *fault;
                self.fuse = None;
                self.has_fired = true;
                self.is_dead = fault == Fault::Kill;
                Some(fault)
            }
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        }
    }

    /// The kernel writes some dirty sector whenever it likes.
    fn write_back(&mut self) {
        for inode in self.inodes.values_mut() {
            if self.rng.once_in(2) {
                let nth = self.rng.below(inode.dirty.len() as u64) as usize;
                if let Some(&sector) = inode.dirty.iter().nth(nth) {
                    inode.write_sector(sector);
                    inode.dirty.remove(&sector);
                }
            }
        }
    }

    fn check(&mut self) -> io::Result<()> {
        match self.step() {
            None | Some(Fault::Full) => Ok(()),
            Some(fault) => Err(failure(fault)),
        }
    }
}

impl Inode {
    /// Lets the disk know that the file was emptied; nothing new comes before that.
    fn empty(&mut self) {
        if std::mem::take(&mut self.is_emptied) {
            self.disk.clear();
        }
    }

    /// Writes a sector to the disk, and with it the size that it needs.
    fn write_sector(&mut self, sector: usize) {
        self.empty();
        let (from, to) = (sector * SECTOR, ((sector + 1) * SECTOR).min(self.cache.len()));
        if self.disk.len() < to {
            self.disk.resize(to, 0);
        }
        self.disk[from..to].copy_from_slice(&self.cache[from..to]);
    }

    fn lose(&mut self, rng: &mut Rng) {
        if rng.once_in(2) {
            self.empty();
        }
        self.is_emptied = false;
        let size = *rng.pick(&[self.disk.len(), self.cache.len()]);
        for sector in std::mem::take(&mut self.dirty) {
            if rng.once_in(2) {
                self.write_sector(sector);
            }
        }
        self.disk.resize(size, 0);
        self.cache = self.disk.clone();
    }
}

fn failure(fault: Fault) -> io::Error {
    match fault {
        Fault::Fail => io::Error::other("the model made this fail"),
        Fault::Kill => io::Error::other("the model killed the process"),
        Fault::Full => io::ErrorKind::StorageFull.into(),
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

impl Disk for ModelDisk {
    type File = ModelFile;

    fn create(&self, path: &Path) -> io::Result<ModelFile> {
        {
            let state = &mut *self.state();
            state.check()?;
            let name = name(path);
            if let Some(inode) = state.names.get(&name) {
                // Emptied in the cache; the old bytes may come back after a power cut.
                let inode = state.inodes.get_mut(inode).unwrap();
                inode.cache.clear();
                inode.dirty.clear();
                inode.is_emptied = true;
            } else {
                state.inodes.insert(state.next_inode, Inode::default());
                state.names.insert(name, state.next_inode);
                state.next_inode += 1;
            }
        }
        self.open(path)
    }

    fn open(&self, path: &Path) -> io::Result<ModelFile> {
        let mut state = self.state();
        state.check()?;
        let name = name(path);
        let inode = *state.names.get(&name).ok_or(io::ErrorKind::NotFound)?;
        Ok(ModelFile { disk: self.clone(), inode, is_head: name == "HEAD" })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.check()?;
        let inode = state.names.remove(&name(from)).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(name(to), inode);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.check()?;
        state.names.remove(&name(path)).ok_or(io::ErrorKind::NotFound)?;
        Ok(())
    }

    fn create_dir(&self, _: &Path) -> io::Result<()> {
        self.state().check()
    }

    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.check()?;
        Ok(state.names.keys().cloned().collect())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.check()?;
        if state.flaw != Flaw::DirSync {
            state.durable_names = state.names.clone();
        }
        Ok(())
    }
}

impl DiskFile for ModelFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.check()?;
        let cache = &state.inodes[&self.inode].cache;
        let from = cache.get(offset as usize..).ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(from.get(..bytes.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let state = &mut *self.disk.state();
        if state.is_dead {
            return Err(failure(Fault::Kill));
        }
        let fault = state.step();
        let offset = offset as usize;
        // A write that fails may have been done in part; a sector is written whole or not at all.
        let length = match fault {
            Some(_) if bytes.len() <= SECTOR => bytes.len() * state.rng.below(2) as usize,
            Some(_) => state.rng.below(bytes.len() as u64 + 1) as usize,
            None => bytes.len(),
        };
        let inode = state.inodes.get_mut(&self.inode).unwrap();
        let (bytes, end) = (&bytes[..length], offset + length);
        let is_same = inode.cache.get(offset..end) == Some(bytes);
        if !(is_same && state.flaw == Flaw::Rewrite) && length > 0 {
            if inode.cache.len() < end {
                inode.cache.resize(end, 0);
            }
            inode.cache[offset..end].copy_from_slice(bytes);
            inode.dirty.extend(offset / SECTOR..=(end - 1) / SECTOR);
        }
        fault.map_or(Ok(()), |fault| Err(failure(fault)))
    }

    fn sync(&self) -> io::Result<()> {
        let state = &mut *self.disk.state();
        if state.is_dead {
            return Err(failure(Fault::Kill));
        }
        let fault = state.step();
        let flaw = if self.is_head { Flaw::HeadSync } else { Flaw::SegmentSync };
        if state.flaw == flaw {
            return Ok(());
        }
        let inode = state.inodes.get_mut(&self.inode).unwrap();
        match fault {
            None | Some(Fault::Full) => {
                std::mem::take(&mut inode.dirty).into_iter().for_each(|s| inode.write_sector(s));
                inode.empty();
                inode.disk.resize(inode.cache.len(), 0);
                Ok(())
            }
            Some(fault) => {
                // Some sectors reached the disk. The others are forgotten, but stay in the cache.
                for sector in std::mem::take(&mut inode.dirty) {
                    if state.rng.once_in(2) {
                        inode.write_sector(sector);
                    } else if fault == Fault::Kill {
                        inode.dirty.insert(sector);
                    }
                }
                Err(failure(fault))
            }
        }
    }

    fn size(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.check()?;
        Ok(state.inodes[&self.inode].cache.len() as u64)
    }
}
