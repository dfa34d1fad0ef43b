//! A cut between two batches opens, and the checkpoint done again makes it whole.

use std::fs;
use std::path::Path;

use super::super::files::wait_for_lock;
use super::*;

/// Copies a directory as the disk holds it now.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

fn first() -> Vec<Change> {
    (0..450_u32)
        .map(|i| put(1 + (i % 3) as u8, i.to_be_bytes(), vec![1; (i * 11 % 9000) as usize]))
        .collect()
}

/// Overwrites, shrinks, grows, deletes and adds.
fn second() -> Vec<Change> {
    let row = |i: u32| (1 + (i % 3) as u8, i.to_be_bytes());
    (150..600_u32)
        .map(|i| match i % 4 {
            0 => delete(row(i).0, row(i).1),
            _ => put(row(i).0, row(i).1, vec![2; (i * 17 % 9000) as usize]),
        })
        .collect()
}

#[test]
fn every_cut_between_batches_opens_and_replays_to_the_same() {
    let (home, base) = new_base();
    let dir = home.path().join("base");
    base.checkpoint(first(), 10).unwrap();
    let mut model = Model::new();
    apply(&mut model, &first());
    let before = model.clone();
    apply(&mut model, &second());

    let mut cuts = Vec::new();
    let mut cut = |batches| {
        cuts.push(home.path().join(format!("cut-{batches}")));
        copy(&dir, &cuts[cuts.len() - 1]);
    };
    let written = base.write_checkpoint(second().into_iter().map(Ok), 20, |stats| {
        cut(stats.batches);
        Ok::<_, BaseError>(())
    });
    let stats = written.unwrap();
    cut(stats.batches);
    assert_eq!(cuts.len() as u64, stats.batches + 1);
    assert!(stats.batches >= 3, "{stats:?}");
    assert_eq!(contents(&base), model);

    for (batches, cut) in (0..).zip(&cuts) {
        let base = Base::open(cut).unwrap();
        let complete = batches == stats.batches;
        assert_eq!(base.position(), if complete { 20 } else { 10 }, "after batch {batches}");
        if batches == 0 {
            assert_eq!(contents(&base), before);
        }
        // Each row is as before or as after, never between.
        for (row, value) in contents(&base) {
            assert!(before.get(&row) == Some(&value) || model.get(&row) == Some(&value));
        }
        base.checkpoint(second(), 20).unwrap();
        assert_eq!(contents(&base), model);
        drop(base);
        assert_eq!(contents(&Base::open(cut).unwrap()), model);
    }
}

#[test]
fn a_checkpoint_that_stops_between_batches_can_be_done_again() {
    let (home, base) = new_base();
    base.checkpoint(first(), 10).unwrap();
    let stop = |stats: &CheckpointStats| match stats.batches {
        2 => Err(BaseError::ReservedTable),
        _ => Ok(()),
    };
    assert!(base.write_checkpoint(second().into_iter().map(Ok), 20, stop).is_err());
    assert_eq!(base.position(), 10);
    drop(base);
    let base = Base::open(&home.path().join("base")).unwrap();
    assert_eq!(base.position(), 10);
    base.checkpoint(second(), 20).unwrap();
    let mut model = Model::new();
    apply(&mut model, &[first(), second()].concat());
    assert_eq!(contents(&base), model);
}

/// sled takes a half-written snapshot for the newest; without any it reads its whole log.
#[test]
fn a_cut_while_sled_writes_its_snapshot_is_no_damage() {
    let (home, base) = new_base();
    let dir = home.path().join("base");
    base.checkpoint(first(), 10).unwrap();
    let all = contents(&base);
    drop(base);
    drop(Base::open(&dir).unwrap());
    fs::write(dir.join("snap.00000000FFFFFFFF.generating"), b"half").unwrap();
    assert_eq!(contents(&Base::open(&dir).unwrap()), all);
    // sled's threads go on for a moment after the last handle is dropped.
    wait_for_lock(&fs::File::open(dir.join("db")).unwrap(), &dir).unwrap();
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("snap.") {
            fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(contents(&Base::open(&dir).unwrap()), all);
}
