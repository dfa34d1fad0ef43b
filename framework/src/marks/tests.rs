//! Deaths of a process, each a value that is dropped without a `close`.

use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::stream::{PartitionId, Slot, StreamId};

const STORE: u64 = 7;
const BOOT: u128 = 9;

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(dir: &TempDir) -> (Marks, Suspects) {
    Marks::open_in(dir.path(), STORE, BOOT, Limits::default())
}

fn file(dir: &TempDir) -> PathBuf {
    dir.path().join("marks")
}

fn size(dir: &TempDir) -> u64 {
    fs::metadata(file(dir)).unwrap().len()
}

fn at(sequence: u64) -> Position {
    let (service, topic): (Arc<str>, Arc<str>) = ("bank".into(), "accounts".into());
    Position::Stream(
        Arc::new(StreamId { service, store: 1, epoch: 1, topic, slot: Slot(3) }),
        sequence,
    )
}

fn foreign(offset: u64) -> Position {
    let (cluster, topic) = ("bank".into(), "accounts".into());
    Position::Foreign(
        Arc::new(PartitionId { cluster, topic, incarnation: 1, partition: 3 }),
        offset,
    )
}

fn begin(marks: &mut Marks, batch: u64, company: Company, sequences: &[u64]) {
    let positions: Vec<Position> = sequences.iter().map(|sequence| at(*sequence)).collect();
    marks.begin(batch, company, positions.iter().map(|position| (position, "deposit")));
}

/// Which of the first ten are suspected.
fn suspected(suspects: &Suspects) -> Vec<u64> {
    let found: Vec<u64> = (0..10).filter(|n| suspects.contains(&at(*n), "deposit")).collect();
    assert_eq!(found.len(), suspects.len());
    found
}

#[test]
fn what_had_begun_and_not_ended_is_suspected_and_not_charged() {
    let dir = dir();
    let (mut marks, none) = open(&dir);
    assert!(none.is_empty());
    begin(&mut marks, 1, Company::Others, &[1, 2]);
    begin(&mut marks, 2, Company::Others, &[3]);
    marks.end(1);
    begin(&mut marks, 3, Company::Others, &[4, 5]);
    drop(marks);

    let (_, mut suspects) = open(&dir);
    assert_eq!(suspected(&suspects), [3, 4, 5]);
    assert!(!suspects.contains(&at(3), "withdraw") && !suspects.contains(&foreign(3), "deposit"));
    assert_eq!(suspects.charges(&at(3), "deposit"), 0);
    suspects.remove(&at(3), "deposit");
    assert_eq!(suspected(&suspects), [4, 5]);
}

#[test]
fn every_field_of_a_position_tells_it_from_others() {
    let id = |service: &str, store, epoch, topic: &str, slot| {
        let (service, topic) = (service.into(), topic.into());
        Position::Stream(Arc::new(StreamId { service, store, epoch, topic, slot: Slot(slot) }), 1)
    };
    let part = |cluster: &str, topic: &str, incarnation, partition| {
        let (cluster, topic) = (cluster.into(), topic.into());
        Position::Foreign(Arc::new(PartitionId { cluster, topic, incarnation, partition }), 1)
    };
    let all = [
        id("a", 1, 1, "b", 1),
        id("ab", 1, 1, "", 1),
        id("a", 2, 1, "b", 1),
        id("a", 1, 2, "b", 1),
        id("a", 1, 1, "c", 1),
        id("a", 1, 1, "b", 2),
        id("a", 1, 256, "b", 0),
        part("a", "b", 1, 257),
        part("a", "b", 1, 1),
        part("a", "b", 2, 1),
        part("a", "c", 1, 1),
        part("b", "b", 1, 1),
    ];
    let marks: std::collections::BTreeSet<Mark> =
        all.iter().map(|position| mark(position, "deposit")).collect();
    assert_eq!(marks.len(), all.len());
}

/// Three openings see the deaths of what ran alone; the fourth finds three charges.
#[test]
fn each_death_alone_is_charged_and_suspects_wait_for_their_turn() {
    let dir = dir();
    let (mut marks, _) = open(&dir);
    begin(&mut marks, 1, Company::Others, &[1, 2, 3]);
    drop(marks);
    for charges in 0..3 {
        let (mut marks, suspects) = open(&dir);
        assert_eq!(suspects.charges(&at(1), "deposit"), charges);
        // Before it, another one runs alone and lives, or fails: it is suspected no longer.
        let waiting: &[u64] = if charges == 0 { &[1, 2, 3] } else { &[1, 3] };
        assert_eq!(suspected(&suspects), waiting);
        if charges == 0 {
            begin(&mut marks, 1, Company::Alone, &[2]);
            marks.end(1);
        }
        begin(&mut marks, 2, Company::Alone, &[1]);
        drop(marks);
    }
    let (mut marks, suspects) = open(&dir);
    assert_eq!(suspects.charges(&at(1), "deposit"), 3);
    assert_eq!(suspects.charges(&at(3), "deposit"), 0);
    marks.forget(&at(1), "deposit");
    drop(marks);

    let (mut marks, suspects) = open(&dir);
    assert_eq!(suspected(&suspects), [3]);
    marks.acquit();
    drop(marks);
    assert!(open(&dir).1.is_empty());
}

#[test]
fn charges_outlive_a_probation_that_ends_well() {
    let dir = dir();
    for _ in 0..2 {
        let (mut marks, _) = open(&dir);
        begin(&mut marks, 1, Company::Alone, &[1]);
    }
    let (mut marks, suspects) = open(&dir);
    assert_eq!(suspects.charges(&at(1), "deposit"), 2);
    // It fails like any other, and is tried again beside others: then the process dies.
    begin(&mut marks, 1, Company::Alone, &[1]);
    marks.end(1);
    begin(&mut marks, 2, Company::Others, &[1, 2]);
    drop(marks);
    let (_, suspects) = open(&dir);
    assert_eq!(suspected(&suspects), [1, 2]);
    assert_eq!(suspects.charges(&at(1), "deposit"), 2);
}

#[test]
fn who_did_not_run_alone_is_never_charged() {
    for sequences in [&[1][..], &[1, 2]] {
        let dir = dir();
        let (mut marks, _) = open(&dir);
        begin(&mut marks, 1, Company::Alone, sequences);
        // Against the rules, for two that run are not alone, and so nobody is charged.
        if sequences.len() == 1 {
            begin(&mut marks, 2, Company::Others, &[3]);
        }
        drop(marks);
        let (_, suspects) = open(&dir);
        assert_eq!(suspects.charges(&at(1), "deposit"), 0);
        assert!(suspects.contains(&at(1), "deposit"));
    }
}

#[test]
fn a_file_that_ends_anywhere_says_what_was_written_before() {
    let (full, cut) = (dir(), dir());
    let (mut marks, _) = open(&full);
    let mut ends = vec![(size(&full), Vec::new())];
    let steps: &[(u64, &[u64], &[u64])] = &[(1, &[1, 2], &[1, 2]), (2, &[3], &[1, 2, 3])];
    for (batch, sequences, suspects) in steps {
        begin(&mut marks, *batch, Company::Others, sequences);
        ends.push((size(&full), suspects.to_vec()));
    }
    marks.end(1);
    marks.flush();
    ends.push((size(&full), vec![3]));
    let bytes = fs::read(file(&full)).unwrap();
    for end in usize::try_from(ends[0].0).unwrap()..=bytes.len() {
        fs::write(file(&cut), &bytes[..end]).unwrap();
        let (_, suspects) = open(&cut);
        let before = ends.iter().rev().find(|(size, _)| *size <= end as u64).unwrap();
        assert_eq!(suspected(&suspects), before.1, "cut at {end}");
    }
    for end in 0..usize::try_from(ends[0].0).unwrap() {
        fs::write(file(&cut), &bytes[..end]).unwrap();
        assert!(open(&cut).1.is_empty(), "cut at {end}");
    }
}

#[test]
fn what_was_never_written_so_counts_as_no_marks() {
    let (good, bad) = (dir(), dir());
    let (mut marks, _) = open(&good);
    begin(&mut marks, 1, Company::Others, &[1]);
    begin(&mut marks, 2, Company::Others, &[2]);
    let bytes = fs::read(file(&good)).unwrap();
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        fs::write(file(&bad), &changed).unwrap();
        let (_, suspects) = open(&bad);
        // A length that grew is a record that was not written to its end.
        assert!(suspects.len() <= 1, "byte {place}");
        assert!(suspects.is_empty() || suspects.contains(&at(1), "deposit"), "byte {place}");
    }
    fs::write(file(&bad), [0x5a; 100_000]).unwrap();
    let (mut marks, suspects) = open(&bad);
    assert!(suspects.is_empty());
    begin(&mut marks, 1, Company::Others, &[4]);
    drop(marks);
    assert_eq!(suspected(&open(&bad).1), [4], "the file is good again");
}

#[test]
fn marks_of_another_boot_or_another_store_accuse_nobody() {
    for (store, boot) in [(STORE, BOOT + 1), (STORE + 1, BOOT)] {
        let dir = dir();
        let (mut marks, _) = open(&dir);
        begin(&mut marks, 1, Company::Alone, &[1]);
        drop(marks);
        let (_, suspects) = Marks::open_in(dir.path(), store, boot, Limits::default());
        assert!(suspects.is_empty());
    }
}

#[test]
fn a_full_file_is_rewritten_with_what_still_counts() {
    let dir = dir();
    let limits = Limits { bytes_max: 1_000 };
    for _ in 0..2 {
        let (mut marks, _) = Marks::open_in(dir.path(), STORE, BOOT, limits);
        begin(&mut marks, 1, Company::Alone, &[1]);
    }
    let (mut marks, _) = Marks::open_in(dir.path(), STORE, BOOT, limits);
    begin(&mut marks, 1, Company::Others, &[5]);
    for batch in 2..1_000 {
        begin(&mut marks, batch, Company::Others, &[6]);
        assert!(size(&dir) <= 1_000);
        marks.end(batch);
    }
    begin(&mut marks, 1_000, Company::Others, &[7]);
    drop(marks);
    let (_, suspects) = open(&dir);
    assert_eq!(suspected(&suspects), [1, 5, 7]);
    assert_eq!(suspects.charges(&at(1), "deposit"), 2);
}

#[test]
fn a_large_number_that_runs_is_not_written_again_each_time() {
    let dir = dir();
    let (mut marks, _) = Marks::open_in(dir.path(), STORE, BOOT, Limits { bytes_max: 100 });
    let many: Vec<u64> = (0..1_000).collect();
    begin(&mut marks, 1, Company::Others, &many);
    let one = size(&dir);
    begin(&mut marks, 2, Company::Others, &[1]);
    assert!(size(&dir) < one + 100, "the second was written behind the first");
}

#[test]
fn a_clean_stop_leaves_nothing_behind() {
    let dir = dir();
    let (mut marks, _) = open(&dir);
    begin(&mut marks, 1, Company::Alone, &[1]);
    marks.close();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    assert!(open(&dir).1.is_empty());
}

#[test]
fn errors_of_the_disk_end_the_marks_and_nothing_else() {
    let dir = dir();
    let nowhere = dir.path().join("missing");
    let (mut marks, suspects) = Marks::open_in(&nowhere, STORE, BOOT, Limits::default());
    assert!(suspects.is_empty() && marks.0.is_none());
    begin(&mut marks, 1, Company::Others, &[1]);

    // The rewriting fails: what the old file says must not be held against anybody.
    let (mut marks, _) = Marks::open_in(dir.path(), STORE, BOOT, Limits { bytes_max: 0 });
    fs::create_dir(dir.path().join("marks.new")).unwrap();
    begin(&mut marks, 1, Company::Others, &[1, 2, 3, 4]);
    assert!(marks.0.is_none() && !file(&dir).exists());
    marks.end(1);
    marks.close();
}

#[test]
fn foreign_messages_are_marked_too() {
    let dir = dir();
    let (mut marks, _) = open(&dir);
    marks.begin(1, Company::Alone, [(&foreign(4), "deposit")]);
    drop(marks);
    assert_eq!(open(&dir).1.charges(&foreign(4), "deposit"), 1);
}
