//! A full disk: the commit is told so, nothing of it is written, and it can be tried again.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::conformance::in_dir;
use super::stops::open_sled;
use crate::store::sled::SledOptions;
use crate::store::sled::committer::OpenSled;
use crate::store::{Batch, CommitError, Store};
use crate::testing::store_conformance::model::{Model, Random};
use crate::testing::store_conformance::{accepted, at, handled};

async fn opened(dir: &Path) -> OpenSled {
    open_sled(
        dir,
        SledOptions {
            segment_bytes: 1 << 20,
            journal_segments_max: 3,
            seed: 5,
            ..SledOptions::default()
        },
    )
    .await
}

/// Makes the disk full for the segment after the newest one.
fn fill(dir: &Path, store: &OpenSled) -> PathBuf {
    let newest = store.files.as_ref().unwrap().journal.segments().last().unwrap().number;
    let next = dir.join(format!("journal/segment-{:012}", newest + 1));
    symlink("/dev/full", &next).unwrap();
    next
}

/// A batch that needs a segment of its own.
fn large(id: u64) -> Batch {
    let entries = (0..50).map(|n| accepted().send("out", Some("k"), "x".repeat(25_000 + n)));
    Batch { id, entries: entries.collect(), ..Batch::default() }
}

/// What came of a commit, in few words.
async fn commit(store: &mut OpenSled, batch: &Batch) -> Result<usize, CommitError> {
    store.commit(batch).await.map(|durable| durable.sent.len())
}

#[tokio::test]
async fn a_full_disk_stalls_the_commit_until_there_is_room() {
    let mut random = Random::from_environment();
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("store");
    let mut store = opened(&dir).await;
    let mut model = Model::default();
    for id in 1..4 {
        let batch = Batch { id, ..model.batch(&mut random) };
        let durable = store.commit(&batch).await.unwrap();
        model.apply(&batch, &durable);
    }
    store.end_checkpoint(0).await.unwrap();
    let full = fill(&dir, &store);
    let batch = large(50);
    for _ in 0..3 {
        match commit(&mut store, &batch).await {
            Err(CommitError::NoRoom(text)) => assert!(text.contains("free space"), "{text}"),
            other => panic!("{other:?}"),
        }
    }
    // Another one would have to be decided on tables that are ahead.
    let other = Batch { id: 51, entries: vec![handled(at(900))], ..Batch::default() };
    match commit(&mut store, &other).await {
        Err(CommitError::NoRoom(text)) => assert!(text.contains("50"), "{text}"),
        other => panic!("{other:?}"),
    }
    let position = store.base.position();
    store.end_checkpoint(0).await.unwrap();
    assert_eq!(store.base.position(), position, "nothing is checkpointed that is not durable");

    std::fs::remove_file(full).unwrap();
    let durable = store.commit(&batch).await.unwrap();
    assert_eq!(durable.sent.len(), 50);
    model.apply(&batch, &durable);
    let durable = store.commit(&other).await.unwrap();
    model.apply(&other, &durable);
    drop(store);
    model.check(&in_dir(&dir, ()).open().await).await;
}

#[tokio::test]
async fn what_found_no_room_and_was_given_up_never_was() {
    let mut random = Random::from_environment();
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("store");
    let mut model = Model::default();
    for round in 0..4 {
        let mut store = opened(&dir).await;
        model.restart();
        for id in 1..5 {
            let batch = Batch { id, ..model.batch(&mut random) };
            let durable = store.commit(&batch).await.unwrap();
            model.apply(&batch, &durable);
        }
        store.end_checkpoint(0).await.unwrap();
        let full = fill(&dir, &store);
        let refused = commit(&mut store, &large(50)).await;
        assert!(matches!(refused, Err(CommitError::NoRoom(_))), "{refused:?}");
        std::fs::remove_file(full).unwrap();
        match round % 2 {
            0 => Box::new(store).close().await.unwrap(),
            _ => drop(store),
        }
        model.restart();
        model.check(&in_dir(&dir, ()).open().await).await;
    }
}
