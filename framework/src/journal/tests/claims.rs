//! Small claims, most of them one rule of the journal each, on the real disk.

use std::path::Path;

use crate::journal::*;

pub(super) const STORE: u64 = 0x5707e;

pub(super) fn options(nonce: u64) -> Options {
    Options { segment_bytes: 16 << 10, zero_ahead_bytes: 4 << 10, ..Options::new(STORE, nonce) }
}

pub(super) fn new_journal(dir: &Path) -> Journal {
    Journal::create(RealDisk, dir, options(1)).unwrap();
    Journal::open(RealDisk, dir, options(1), 1, |_| Ok(())).unwrap()
}

pub(super) type Seen = Vec<(u64, Vec<u8>)>;

pub(super) fn reopen(dir: &Path, nonce: u64, from: u64) -> Result<(Journal, Seen), JournalError> {
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
fn a_sync_needs_no_room_beyond_what_the_append_has_found() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = new_journal(home.path());
    let bytes = |journal: &Journal| {
        let number = journal.segments().last().unwrap().number;
        std::fs::metadata(crate::journal::segment::path(home.path(), number)).unwrap().len()
    };
    // Small ones, of which some end where the segment does, and some that have one of their own.
    for size in (0..1_500).map(|n| 8 + n % 9).chain([20 << 10, 40, 2 << 20, 40]) {
        journal.append(&vec![7; size]).unwrap();
        let found = bytes(&journal);
        journal.sync(HeadSync::Write).unwrap();
        assert_eq!(bytes(&journal), found, "a frame of {size} bytes");
    }
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

#[test]
fn a_payload_can_look_like_a_frame_but_not_like_one_of_this_store() {
    use crate::journal::frame::Header;
    let header = Header { length: 0, payload_crc: 0, sequence: 9, before: 8, durable: 7, nonce: 6 };
    let bytes = header.encode(STORE);
    assert_eq!(Header::decode(&bytes, STORE), Some(header));
    assert_eq!(Header::decode(&bytes, STORE + 1), None);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Header::decode(&flipped, STORE), None, "bit {bit}");
    }
}

#[test]
fn a_frame_over_the_limit_is_refused_and_the_journal_goes_on() {
    let home = tempfile::tempdir().unwrap();
    drop(new_journal(home.path()));
    let options = Options { frame_bytes_max: 10, ..options(2) };
    let mut journal = Journal::open(RealDisk, home.path(), options, 1, |_| Ok(())).unwrap();
    let error = journal.append(&[0; 11]).unwrap_err();
    assert!(matches!(error, JournalError::TooLarge { bytes: 11, max: 10 }), "{error}");
    assert_eq!(journal.append(&[0; 10]).unwrap().sequence, 1);
    assert_eq!(journal.sync(HeadSync::Write).unwrap(), 1);
}

#[test]
fn a_half_made_journal_is_made_anew_but_one_with_frames_never() {
    let home = tempfile::tempdir().unwrap();
    drop(new_journal(home.path()));
    std::fs::remove_file(home.path().join("HEAD")).unwrap();
    let mut journal = new_journal(home.path());
    journal.append(b"one").unwrap();
    journal.sync(HeadSync::Write).unwrap();
    drop(journal);
    let error = Journal::create(RealDisk, home.path(), options(2)).unwrap_err();
    assert!(matches!(error, JournalError::Occupied { .. }), "{error}");
}

#[test]
fn a_reader_sees_what_is_durable_and_live_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = new_journal(home.path());
    let reader = journal.reader();
    let first = journal.append(b"first").unwrap();
    let not_live = |place| matches!(reader.payload(place), Err(JournalError::NotLive { .. }));
    assert!(not_live(first), "not synced yet");
    journal.sync(HeadSync::Write).unwrap();
    assert_eq!(reader.payload(first).unwrap(), b"first");
    assert_eq!(reader.read(first.segment, first.offset + 1, 2).unwrap(), b"ir");
    while journal.segments().len() < 2 {
        journal.append(&[0; 3000]).unwrap();
    }
    journal.release(journal.durable() + 1).unwrap();
    assert!(not_live(first), "released");
}

#[test]
fn the_owner_of_the_broker_opens_where_head_says() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = new_journal(home.path());
    while journal.segments().len() < 4 {
        journal.append(&[0; 3000]).unwrap();
    }
    journal.sync(HeadSync::Write).unwrap();
    let third = journal.segments()[2];
    journal.release(third.first + 1).unwrap();
    assert_eq!(journal.segments()[0], third);
    drop(journal);
    let (journal, seen) = reopen(home.path(), 2, FROM_FIRST_LIVE).unwrap();
    assert_eq!(seen[0].0, third.first);
    assert_eq!(journal.segments()[0].number, third.number);
}

#[test]
fn the_owner_may_refuse_a_frame_with_its_own_reason() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = new_journal(home.path());
    journal.append(b"one").unwrap();
    journal.sync(HeadSync::Write).unwrap();
    drop(journal);
    let error = Journal::open(RealDisk, home.path(), options(2), 1, |frame| {
        Err(JournalError::refused(frame.sequence, "a table that this version lacks"))
    });
    let text = error.unwrap_err().to_string();
    assert_eq!(text, "frame 1 was refused by its owner: a table that this version lacks");
}
