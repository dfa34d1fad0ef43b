//! Random histories on the model of a disk: appends, syncs, releases, failing operations, killed
//! processes, power cuts, and at the end damage.
//!
//! What must hold after every opening: nothing acknowledged is lost, nothing is half applied,
//! nothing that was cut off comes back, and nothing is refused unless something was damaged. After
//! damage the journal is refused, or opened as if there had been none.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use super::{
    claims::{STORE, Seen},
    model::{Fault, Flaw, ModelDisk},
    rng::Rng,
};
use crate::journal::{head::Head, *};

const DIR: &str = "journal";

/// What keeps the journal: the store with a checkpoint, or the broker without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Store,
    Broker,
}

/// One history, and what the journal must agree with.
struct History {
    rng: Rng,
    disk: ModelDisk,
    flaw: Flaw,
    owner: Owner,
    segment_bytes: u64,
    zero_ahead_bytes: u64,
    /// Payloads by sequence, from 1: what the journal holds, or may hold.
    appended: Vec<Vec<u8>>,
    acknowledged: u64,
    checkpoint: u64,
    /// What was appended, and then cut off: sent again sometimes, byte for byte.
    cut_off: Vec<Vec<u8>>,
    /// Whether the power was cut since the last opening: `HEAD` may be older than what was
    /// acknowledged.
    is_head_behind: bool,
    /// Older copies of files.
    copies: Vec<BTreeMap<String, Vec<u8>>>,
    tally: Tally,
}

/// What the histories together went through: a test that meets nothing proves nothing.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    openings: u64,
    power_cuts: u64,
    faults: u64,
    cut_off: u64,
    refused: u64,
    no_room: u64,
    survived: u64,
    /// Damage that looked exactly like a torn tail.
    invisible: u64,
}

impl History {
    fn new(seed: u64, flaw: Flaw) -> Self {
        let mut rng = Rng(seed);
        Self {
            disk: ModelDisk::new(rng.next(), flaw),
            flaw,
            owner: *rng.pick(&[Owner::Store, Owner::Broker]),
            segment_bytes: *rng.pick(&[6 << 10, 8 << 10, 16 << 10]),
            zero_ahead_bytes: *rng.pick(&[0, 2 << 10, 1 << 20]),
            appended: Vec::new(),
            acknowledged: 0,
            checkpoint: 0,
            cut_off: Vec::new(),
            is_head_behind: false,
            copies: Vec::new(),
            tally: Tally::default(),
            rng,
        }
    }

    fn run(&mut self) {
        self.make();
        let lives = 2 + self.rng.below(6);
        for _ in 0..lives {
            self.copies.push(self.disk.files());
            if self.rng.once_in(4) {
                self.arm(40);
            }
            if let Some(journal) = self.open() {
                self.live(journal);
            }
            self.end();
        }
        if self.flaw == Flaw::None && self.rng.once_in(2) {
            self.damage();
        } else {
            assert!(self.open().is_some(), "the last opening was refused");
        }
    }

    fn arm(&mut self, operations: u64) {
        let fault = *self.rng.pick(&[Fault::Fail, Fault::Kill, Fault::Full]);
        self.disk.arm(self.rng.below(operations) as u32, fault);
    }

    fn options(&mut self) -> Options {
        Options {
            segment_bytes: self.segment_bytes,
            zero_ahead_bytes: self.zero_ahead_bytes,
            spare_segments_max: 2,
            ..Options::new(STORE, self.rng.next())
        }
    }

    /// Makes the journal, over what earlier tries left.
    fn make(&mut self) {
        loop {
            if self.rng.once_in(2) {
                self.arm(12);
            }
            let options = self.options();
            let made = Journal::create(self.disk.clone(), Path::new(DIR), options);
            if made.is_ok() {
                self.disk.restart();
                return;
            }
            self.end();
        }
    }

    /// Ends the process, and half of the time cuts the power as well.
    fn end(&mut self) {
        self.tally.faults += u64::from(self.disk.restart());
        if self.rng.once_in(2) {
            self.disk.cut_power();
            self.tally.power_cuts += 1;
            self.is_head_behind = true;
        }
    }

    fn try_open(&mut self) -> Result<(Journal<ModelDisk>, Seen), JournalError> {
        let from = match self.owner {
            Owner::Store => self.checkpoint + 1,
            Owner::Broker => FROM_FIRST_LIVE,
        };
        let mut seen = Vec::new();
        self.tally.openings += 1;
        let options = self.options();
        let journal = Journal::open(self.disk.clone(), Path::new(DIR), options, from, |frame| {
            seen.push((frame.sequence, frame.payload.to_vec()));
            Ok(())
        })?;
        Ok((journal, seen))
    }

    /// Opens the journal and compares. `None` if a fault that was made got in the way.
    fn open(&mut self) -> Option<Journal<ModelDisk>> {
        match self.try_open() {
            Ok((journal, seen)) => {
                self.compare(&journal, &seen, self.acknowledged);
                let end = journal.durable();
                self.cut_off = self.appended.split_off(end as usize);
                self.tally.cut_off += self.cut_off.len() as u64;
                self.acknowledged = end;
                self.is_head_behind = false;
                Some(journal)
            }
            Err(JournalError::Io { .. }) => None,
            Err(error) => panic!("refused without damage: {error}"),
        }
    }

    fn compare(&self, journal: &Journal<ModelDisk>, seen: &Seen, at_least: u64) {
        let end = journal.durable();
        assert!(end >= at_least, "lost: {at_least} was acknowledged, the journal ends at {end}");
        assert!(end <= self.appended.len() as u64, "{end} was never appended");
        let first = seen.first().map_or(end + 1, |(sequence, _)| *sequence);
        let wanted = self.checkpoint + 1;
        match self.owner {
            Owner::Store => assert_eq!(first, wanted.min(end + 1), "the first frame"),
            Owner::Broker => assert!(first <= wanted, "{first} comes after {wanted}"),
        }
        for ((sequence, payload), n) in seen.iter().zip(first..) {
            assert_eq!(*sequence, n, "a hole");
            let what = &self.appended[n as usize - 1];
            assert!(payload == what, "frame {n} is another one, or came back");
        }
        assert_eq!(first + seen.len() as u64, end + 1, "the last frame");
    }

    /// Works until a fault, or until enough.
    fn live(&mut self, mut journal: Journal<ModelDisk>) {
        if self.rng.once_in(2) {
            self.arm(60);
        }
        for _ in 0..self.rng.below(40) {
            let done = self.work(&mut journal);
            if let Err(JournalError::NoRoom { .. }) = done {
                // Nothing was appended, and the journal goes on.
                self.appended.pop();
                self.tally.no_room += 1;
            } else if let Err(error) = done {
                assert!(matches!(error, JournalError::Io { .. }), "{error}");
                let again = journal.append(b"after a failure").unwrap_err();
                assert!(matches!(again, JournalError::Poisoned { .. }), "{again}");
                let again = journal.sync(HeadSync::Sync).unwrap_err();
                assert!(matches!(again, JournalError::Poisoned { .. }), "{again}");
                return;
            }
        }
    }

    fn work(&mut self, journal: &mut Journal<ModelDisk>) -> Result<(), JournalError> {
        match self.rng.below(10) {
            0..6 => {
                let payload = self.payload();
                self.appended.push(payload.clone());
                let place = journal.append(&payload)?;
                assert_eq!(place.sequence, self.appended.len() as u64);
                if self.flaw == Flaw::EarlyAcknowledgement {
                    self.acknowledged = place.sequence;
                }
            }
            6..9 => {
                let head = *self.rng.pick(&[HeadSync::Write, HeadSync::Write, HeadSync::Sync]);
                self.acknowledged = journal.sync(head)?;
                assert_eq!(self.acknowledged, self.appended.len() as u64);
            }
            _ => {
                let behind = self.rng.below(1 + journal.durable() - self.checkpoint);
                self.checkpoint = journal.durable() - behind;
                journal.release(self.checkpoint + 1)?;
            }
        }
        Ok(())
    }

    fn payload(&mut self) -> Vec<u8> {
        if !self.cut_off.is_empty() && self.rng.once_in(2) {
            return self.cut_off.remove(0);
        }
        let length = match self.rng.below(12) {
            0 => 6000 + self.rng.below(4000),
            1..4 => self.rng.below(3000),
            _ => self.rng.below(300),
        };
        let mut payload = vec![0; length as usize];
        match self.rng.below(3) {
            0 => payload.fill(self.rng.next() as u8),
            1 => payload.iter_mut().for_each(|byte| *byte = self.rng.next() as u8),
            // Bytes of the journal itself: frames in a frame. The rest stays zero.
            _ => {
                let files = self.disk.files();
                let bytes = files.values().next_back().map_or(&[][..], Vec::as_slice);
                let from = bytes.get(4096..).unwrap_or_default();
                payload.iter_mut().zip(from).for_each(|(byte, old)| *byte = *old);
            }
        }
        let number = self.appended.len() as u64 ^ self.rng.next();
        payload.splice(..0, number.to_le_bytes());
        payload
    }

    /// Damages one file and opens: refused, or as if nothing had happened. Only what lies beyond
    /// `HEAD` can go unnoticed, for it looks exactly like a torn tail.
    fn damage(&mut self) {
        let head = Head::open(&self.disk, Path::new(DIR), STORE).unwrap().record();
        let files = self.disk.files();
        let names: Vec<&String> = files.keys().filter(|name| !name.starts_with("torn")).collect();
        let name = *self.rng.pick(&names);
        let content = self.spoil(name, &files[name]);
        self.disk.put(name, content);
        let at_least = if name == "HEAD" { self.acknowledged } else { head.durable };
        match self.try_open() {
            Ok((journal, seen)) => {
                self.compare(&journal, &seen, at_least);
                self.tally.survived += 1;
                let is_lost = journal.durable() < self.acknowledged;
                assert!(!is_lost || self.is_head_behind, "lost without a power cut");
                self.tally.invisible += u64::from(is_lost);
            }
            Err(JournalError::Damaged { file, remedy, .. }) => {
                assert!(file.starts_with(DIR) && !remedy.is_empty());
                self.tally.refused += 1;
            }
            Err(JournalError::Lost { first, last, .. }) => {
                assert!(first <= last);
                self.tally.refused += 1;
            }
            Err(error) => panic!("damage to {name} was met with: {error}"),
        }
    }

    fn spoil(&mut self, name: &str, content: &[u8]) -> Option<Vec<u8>> {
        let mut spoilt = content.to_vec();
        let length = spoilt.len() as u64;
        match self.rng.below(5) {
            0 => return None,
            1 => spoilt.truncate(self.rng.below(length) as usize),
            2 => {
                let page = self.rng.below(length.div_ceil(4096)) as usize * 4096;
                let end = (page + 4096).min(spoilt.len());
                spoilt[page..end].fill(0);
            }
            3 => {
                let nth = self.rng.below(self.copies.len() as u64) as usize;
                if let Some(older) = self.copies[nth].get(name) {
                    spoilt.clone_from(older);
                }
            }
            _ if length > 0 => {
                let at = self.rng.below(length) as usize;
                spoilt[at] ^= 1 << self.rng.below(8);
            }
            _ => {}
        }
        Some(spoilt)
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs histories; returns the tally, or the first seed that failed and why.
fn histories(count: u64, flaw: Flaw) -> Result<Tally, (u64, String)> {
    let seeds = match number("ENDWISE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("ENDWISE_HISTORIES").unwrap_or(count),
    };
    let mut sum = Tally::default();
    for seed in seeds {
        let mut history = History::new(seed, flaw);
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| history.run())) {
            let why = panic.downcast_ref::<String>().cloned();
            let why = why.or_else(|| panic.downcast_ref::<&str>().map(|why| why.to_string()));
            return Err((seed, why.unwrap_or_default()));
        }
        let Tally { openings, power_cuts, faults, cut_off, refused, no_room, survived, invisible } =
            history.tally;
        sum.openings += openings;
        sum.power_cuts += power_cuts;
        sum.faults += faults;
        sum.cut_off += cut_off;
        sum.refused += refused;
        sum.no_room += no_room;
        sum.survived += survived;
        sum.invisible += invisible;
    }
    Ok(sum)
}

#[test]
fn random_histories_lose_nothing_revive_nothing_and_refuse_nothing_but_damage() {
    match histories(2_000, Flaw::None) {
        Ok(tally) => {
            println!("{tally:?}");
            if number("ENDWISE_SEED").is_none() {
                assert!(tally.cut_off > 0 && tally.refused > 0 && tally.survived > 0, "{tally:?}");
                assert!(tally.no_room > 0, "{tally:?}");
                assert!(tally.faults > 0 && tally.power_cuts > 0, "{tally:?}");
            }
        }
        Err((seed, why)) => panic!(
            "{why}\n  seed {seed}; replay it with\n  \
             ENDWISE_SEED={seed} cargo test -p endwise --lib journal::tests::histories::random"
        ),
    }
}

/// A flaw that the histories do not notice would be a rule without a test.
#[track_caller]
fn is_noticed(flaw: Flaw) {
    let noticed = histories(1_000, flaw);
    assert!(noticed.is_err() || number("ENDWISE_SEED").is_some(), "{flaw:?} was not noticed");
}

#[test]
fn a_missing_sync_of_segments_is_noticed() {
    is_noticed(Flaw::SegmentSync);
}

#[test]
fn a_missing_sync_of_the_directory_is_noticed() {
    is_noticed(Flaw::DirSync);
}

#[test]
fn an_acknowledgement_before_the_sync_is_noticed() {
    is_noticed(Flaw::EarlyAcknowledgement);
}

#[test]
fn frames_that_stand_in_the_cache_only_must_be_written_again() {
    is_noticed(Flaw::Rewrite);
}

#[test]
fn a_missing_sync_of_head_is_noticed() {
    is_noticed(Flaw::HeadSync);
}
