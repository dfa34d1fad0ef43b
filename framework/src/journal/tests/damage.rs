//! Torn tail or damage: made by hand on the real disk, each told from the other.

use std::{collections::BTreeMap, fs, path::Path};

use super::claims::{STORE, new_journal, options, reopen};
use crate::journal::{frame::HEADER_BYTES, *};

type Files = BTreeMap<String, Vec<u8>>;

fn save(dir: &Path) -> Files {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect()
}

fn flip(dir: &Path, segment: u64, at: u64) {
    let path = segment::path(dir, segment);
    let mut bytes = fs::read(&path).unwrap();
    bytes[at as usize] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Appends and syncs a frame.
fn put(journal: &mut Journal, payload: &[u8]) -> Place {
    let place = journal.append(payload).unwrap();
    journal.sync(HeadSync::Sync).unwrap();
    place
}

#[track_caller]
fn assert_damaged(dir: &Path, segment: u64, at: u64) -> JournalError {
    let before = save(dir);
    let error = reopen(dir, 9, 1).unwrap_err();
    let JournalError::Damaged { file, offset, remedy, .. } = &error else { panic!("{error}") };
    assert_eq!((file, *offset), (&segment::path(dir, segment), at), "{error}");
    assert!(remedy.contains("backup"), "{remedy}");
    assert_eq!(save(dir), before, "a refusal changes nothing");
    error
}

#[test]
fn a_bit_of_a_frame_that_head_knows_is_damage_with_file_offset_and_remedy() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = new_journal(home.path());
    put(&mut journal, b"one");
    let place = put(&mut journal, b"two");
    drop(journal);
    flip(home.path(), 1, place.offset + 1);
    let error = assert_damaged(home.path(), 1, place.offset - HEADER_BYTES as u64).to_string();
    assert!(error.contains("segment-000000000001 is damaged at offset"), "{error}");
}

#[test]
fn a_later_frame_that_names_it_durable_makes_it_damage_even_if_head_does_not_know() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = new_journal(home.path());
    let head = fs::read(home.path().join("HEAD")).unwrap();
    let first = put(&mut journal, b"one");
    put(&mut journal, b"two");
    drop(journal);
    fs::write(home.path().join("HEAD"), head).unwrap();
    flip(home.path(), 1, first.offset);
    assert_damaged(home.path(), 1, first.offset - HEADER_BYTES as u64);
}

#[test]
fn a_segment_that_ends_before_the_next_begins_is_damaged() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = new_journal(home.path());
    let head = fs::read(home.path().join("HEAD")).unwrap();
    let mut last = journal.append(&[1; 900]).unwrap();
    loop {
        let place = journal.append(&[2; 900]).unwrap();
        if place.segment > 1 {
            break;
        }
        last = place;
    }
    drop(journal);
    fs::write(home.path().join("HEAD"), head).unwrap();
    flip(home.path(), 1, last.offset);
    assert_damaged(home.path(), 1, last.offset - HEADER_BYTES as u64);
}

#[test]
fn a_torn_tail_is_kept_as_evidence_and_overwritten_with_zeros() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let torn = tear(dir);
    let whole = fs::read(segment::path(dir, 1)).unwrap();
    let (_, seen) = reopen(dir, 6, 1).unwrap();
    assert_eq!(seen, [(1, b"one".to_vec())]);
    let segment = fs::read(segment::path(dir, 1)).unwrap();
    assert!(segment[torn..].iter().all(|&byte| byte == 0));
    let (name, kept) = save(dir).into_iter().find(|(name, _)| name.starts_with("torn-")).unwrap();
    assert_eq!(name, format!("torn-000000000001-{torn:012}-{:016x}", 6));
    assert!(whole[torn..].starts_with(&kept) && kept.ends_with(b"three"));
}

/// Syncs "one", then "two" and "three"; tears "two", and lets `HEAD` forget both. Returns where
/// "two" begins.
fn tear(dir: &Path) -> usize {
    put(&mut new_journal(dir), b"one");
    let head = fs::read(dir.join("HEAD")).unwrap();
    let (mut journal, _) = reopen(dir, 5, 1).unwrap();
    let two = journal.append(b"two").unwrap();
    journal.append(b"three").unwrap();
    journal.sync(HeadSync::Write).unwrap();
    fs::write(dir.join("HEAD"), head).unwrap();
    flip(dir, 1, two.offset);
    two.offset as usize - HEADER_BYTES
}

/// Cuts off a torn "two", sends it again in an opening with number `nonce`, and puts the old
/// "three" behind it, as a disk might that never wrote the zeros. Returns how many frames count.
fn frames_after_a_resend(nonce: u64) -> usize {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path();
    let three = tear(dir) + HEADER_BYTES + 8;
    let path = segment::path(dir, 1);
    let old = fs::read(&path).unwrap();
    put(&mut reopen(dir, nonce, 1).unwrap().0, b"two");
    let mut segment = fs::read(&path).unwrap();
    segment[three..][..56].copy_from_slice(&old[three..][..56]);
    fs::write(path, segment).unwrap();
    reopen(dir, 7, 1).unwrap().1.len()
}

#[test]
fn an_identical_resend_does_not_make_an_old_follower_valid_again() {
    assert_eq!(frames_after_a_resend(6), 2);
    // It is the opening's number that keeps it out: with the old one it would be back.
    assert_eq!(frames_after_a_resend(5), 3);
}

#[test]
fn the_copies_of_torn_tails_are_bounded_in_number() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = new_journal(home.path());
    for nonce in 10..30 {
        let end = put(&mut journal, b"whole").offset as usize + 8;
        drop(journal);
        let path = segment::path(home.path(), 1);
        let mut bytes = fs::read(&path).unwrap();
        bytes[end..][..4].copy_from_slice(b"torn");
        fs::write(path, bytes).unwrap();
        journal = reopen(home.path(), nonce, 1).unwrap().0;
    }
    let torn = save(home.path()).into_keys().filter(|name| name.starts_with("torn-"));
    assert_eq!(torn.count(), options(1).torn_tails_max);
}

#[test]
fn what_the_owner_needs_and_the_journal_lacks_is_lost_records() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = new_journal(home.path());
    put(&mut journal, b"one");
    drop(journal);
    // The checkpoint is beyond the journal's end.
    let error = reopen(home.path(), 2, 5).unwrap_err();
    assert!(matches!(error, JournalError::Lost { first: 2, last: 4, .. }), "{error}");
    // The journal begins beyond the checkpoint.
    let (mut journal, _) = reopen(home.path(), 3, 1).unwrap();
    while journal.segments().len() < 3 {
        journal.append(&[0; 2000]).unwrap();
    }
    journal.sync(HeadSync::Sync).unwrap();
    let second = journal.segments()[1].first;
    journal.release(second).unwrap();
    drop(journal);
    fs::remove_file(segment::path(home.path(), 1)).unwrap();
    let error = reopen(home.path(), 4, 1).unwrap_err();
    let text = format!("the store lost records 1..={}", second - 1);
    assert!(error.to_string().starts_with(&text), "{error}");
}

#[test]
fn another_stores_files_are_refused() {
    let home = tempfile::tempdir().unwrap();
    drop(new_journal(home.path()));
    let other = Options::new(STORE + 1, 1);
    let error = Journal::open(RealDisk, home.path(), other, 1, |_| Ok(())).unwrap_err();
    let JournalError::Damaged { reason: Damage::OtherStore { found: STORE }, .. } = error else {
        panic!("{error}")
    };
}

#[test]
fn the_slot_of_head_that_was_synced_last_is_not_touched() {
    let home = tempfile::tempdir().unwrap();
    let mut journal = new_journal(home.path());
    put(&mut journal, b"synced");
    // Nothing new was written since, so this must not swap the slots.
    journal.sync(HeadSync::Sync).unwrap();
    let slots = |dir: &Path| {
        let bytes = fs::read(dir.join("HEAD")).unwrap();
        (bytes[..512].to_vec(), bytes[4096..].to_vec())
    };
    let before = slots(home.path());
    for _ in 0..3 {
        journal.append(b"more").unwrap();
        journal.sync(HeadSync::Write).unwrap();
        let now = slots(home.path());
        let touched = (before.0 != now.0, before.1 != now.1);
        assert!(touched == (true, false) || touched == (false, true), "{touched:?}");
        let newest_synced = if touched.0 { &now.1 } else { &now.0 };
        // Either way the untouched slot names frame 1 as durable.
        assert_eq!(newest_synced[40..48], 1u64.to_le_bytes());
    }
}
