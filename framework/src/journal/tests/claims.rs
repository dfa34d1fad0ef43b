//! Small claims, most of them one rule of the journal each, on the real disk.

use std::path::Path;

use crate::journal::*;

pub(super) const STORE: u64 = 0x5707e;

fn options(nonce: u64) -> Options {
    Options { segment_bytes: 16 << 10, zero_ahead_bytes: 4 << 10, ..Options::new(STORE, nonce) }
}

fn new_journal(dir: &Path) -> Journal {
    Journal::create(RealDisk, dir, options(1)).unwrap();
    Journal::open(RealDisk, dir, options(1), 1, |_| Ok(())).unwrap()
}

type Seen = Vec<(u64, Vec<u8>)>;

fn reopen(dir: &Path, nonce: u64, from: u64) -> Result<(Journal, Seen), JournalError> {
    let mut seen = Vec::new();
    let journal = Journal::open(RealDisk, dir, options(nonce), from, |frame| {
        seen.push((frame.sequence, frame.payload.to_vec()));
        Ok(())
    })?;
    Ok((journal, seen))
}

#[test]
fn what_was_synced_is_replayed_from_where_it_is_asked() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = new_journal(home.path());
    for n in 1..=100u64 {
        let place = journal.append(&vec![n as u8; n as usize * 7]).unwrap();
        assert_eq!(place.sequence, n);
    }
    assert_eq!(journal.sync(HeadSync::Write).unwrap(), 100);
    assert!(journal.segments().len() > 1, "{:?}", journal.segments());
    drop(journal);
    let (mut journal, seen) = reopen(home.path(), 2, 42).unwrap();
    let wanted: Seen = (42..=100).map(|n| (n, vec![n as u8; n as usize * 7])).collect();
    assert_eq!(seen, wanted);
    assert_eq!((journal.durable(), journal.next_sequence()), (100, 101));
    journal.append(b"more").unwrap();
    journal.sync(HeadSync::Sync).unwrap();
    drop(journal);
    assert_eq!(reopen(home.path(), 3, 101).unwrap().1, [(101, b"more".to_vec())]);
}

#[test]
fn large_frames_are_written_through_and_get_segments_of_their_own() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = new_journal(home.path());
    let large: Vec<u8> = (0..3 << 20).map(|n: u32| (n / 7) as u8).collect();
    journal.append(b"small").unwrap();
    let (a, b) = large.split_at(1_234_567);
    let place = journal.append_parts(&[a, b]).unwrap();
    assert_eq!(place.segment, 2);
    assert_eq!(journal.append(b"after").unwrap().segment, 3);
    journal.sync(HeadSync::Write).unwrap();
    assert_eq!(journal.reader().payload(place).unwrap(), large);
    drop(journal);
    let (_, seen) = reopen(home.path(), 2, 1).unwrap();
    assert_eq!(seen.iter().map(|(_, payload)| payload.len()).collect::<Vec<_>>(), [5, 3 << 20, 5]);
    assert_eq!(seen[1].1, large);
}

#[test]
fn released_segments_are_recycled_and_their_old_frames_never_come_back() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = new_journal(home.path());
    let mut first = 1;
    for n in 1..=500u64 {
        journal.append(&[n as u8; 300]).unwrap();
        if n % 60 == 0 {
            let durable = journal.sync(HeadSync::Write).unwrap();
            journal.release(durable + 1).unwrap();
            first = durable + 1;
        }
        if n % 97 == 0 {
            drop(journal);
            let (opened, seen) = reopen(home.path(), n, first).unwrap();
            journal = opened;
            let end = journal.durable();
            assert_eq!(seen.len() as u64, end + 1 - first);
        }
    }
    let files = std::fs::read_dir(home.path()).unwrap().count();
    assert!(files < 12, "{files} files");
}
