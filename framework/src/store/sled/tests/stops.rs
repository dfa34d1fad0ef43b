//! A checkpoint that stops after any of its batches, as a kill would stop it: what is opened then
//! is all that was acknowledged, replayed over rows that may be newer than their checkpoint.

use std::path::Path;

use super::cuts::copy;
use crate::directory::Patience;
use crate::store::sled::committer::OpenSled;
use crate::store::sled::{Epoch, SledOptions, SledStore, open, table};
use crate::store::{Batch, Catalog, CommitError, Renames, Store};
use crate::stream::Position;
use crate::testing::store_conformance::model::{Model, Random};
use crate::testing::store_conformance::{Opened, Subject, catalog, handled_of, partition, texts};

/// Large enough for a checkpoint of several batches.
fn options() -> SledOptions {
    SledOptions {
        segment_bytes: 512 << 10,
        journal_segments_max: 3,
        seed: 5,
        ..SledOptions::default()
    }
}

fn subject(dir: &Path) -> Subject {
    let store = SledStore::new(dir).options(options());
    Subject {
        opener: Box::new(move || Box::new(store.clone())),
        ..super::conformance::in_dir(dir, ())
    }
}

/// Opens the store itself, so that its brake can be reached.
pub(super) async fn open_sled(dir: &Path, options: SledOptions) -> OpenSled {
    let mut store =
        open::open(dir.to_owned(), options, Epoch::Same, Patience::None, "shop".into()).unwrap();
    store.adopt(catalog(), Renames::default()).await.unwrap();
    store
}

/// Commits what the model makes, until an error. Returns it, the model being as before it.
async fn commit_until_stopped(
    store: &mut OpenSled,
    model: &mut Model,
    random: &mut Random,
    next_id: &mut u64,
) -> CommitError {
    loop {
        *next_id += 1;
        let batch = Batch { id: *next_id, ..model.batch(random) };
        match store.commit(&batch).await {
            Ok(durable) => model.apply(&batch, &durable),
            Err(error) => return error,
        }
        assert!(*next_id < 10_000, "the checkpoint was never stopped");
    }
}

/// The store is the model, goes on, and still is after a further checkpoint and a reopening.
async fn goes_on(dir: &Path, model: &mut Model, random: &mut Random) {
    model.restart();
    let subject = subject(dir);
    let mut opened: Opened = subject.open().await;
    model.check(&opened).await;
    for id in 0..6 {
        let batch = Batch { id, ..model.batch(random) };
        let durable = opened.store.commit(&batch).await.unwrap();
        model.apply(&batch, &durable);
    }
    opened.store.close().await.unwrap();
    drop(opened.reader);
    model.restart();
    model.check(&subject.open().await).await;
}

/// Right after a checkpoint the base holds what is open, and no row that was confirmed.
async fn base_holds_what_is_open(
    store: &mut OpenSled,
    model: &mut Model,
    random: &mut Random,
    first_id: u64,
) {
    store.end_checkpoint(0).await.unwrap();
    for id in first_id..10_000 {
        let batch = Batch { id, ..model.batch(random) };
        let durable = store.commit(&batch).await.unwrap();
        model.apply(&batch, &durable);
        if !store.checkpoint.is_empty() {
            break;
        }
    }
    let position = store.base.position();
    store.end_checkpoint(0).await.unwrap();
    assert!(store.base.position() > position);
    assert_eq!(table::outbox_rows(&store.base), model.open_rows());
}

#[tokio::test]
async fn a_checkpoint_stopped_after_any_batch_converges_with_the_journal() {
    let mut random = Random::from_environment();
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("store");
    let (mut model, mut next_id, mut whole) = (Model::default(), 0, false);
    // Each round goes on with what the last one left, and stops one batch later: the first ones
    // in the middle of a first checkpoint, later ones in that of rows which are there already.
    for batches in 0..16 {
        let mut store = open_sled(&dir, options()).await;
        let before = store.base.position();
        store.brake.after(batches);
        let error = commit_until_stopped(&mut store, &mut model, &mut random, &mut next_id).await;
        assert!(error.to_string().contains("stopped"), "{error}");
        whole |= store.base.position() > before;
        let killed = home.path().join("killed");
        copy(&dir, &killed);
        goes_on(&killed, &mut model.clone(), &mut random).await;
        std::fs::remove_dir_all(&killed).unwrap();
        drop(store);
        model.restart();
    }
    assert!(whole, "some rounds had a whole checkpoint before the one that was stopped");
    let mut store = open_sled(&dir, options()).await;
    base_holds_what_is_open(&mut store, &mut model, &mut random, 1).await;
    drop(store);
    goes_on(&dir, &mut model, &mut random).await;
}

#[tokio::test]
async fn a_failed_checkpoint_poisons_the_store_and_loses_nothing() {
    let mut random = Random::from_environment();
    let home = tempfile::tempdir().unwrap();
    let (mut model, mut next_id) = (Model::default(), 0);
    let mut store = open_sled(home.path(), options()).await;
    store.brake.after(1);
    let first = commit_until_stopped(&mut store, &mut model, &mut random, &mut next_id).await;
    assert!(matches!(first, CommitError::Failed(_)), "{first:?}");
    for _ in 0..2 {
        let again = store.commit(&Batch { id: 1, ..Batch::default() }).await;
        assert_eq!(again.unwrap_err().to_string(), first.to_string());
    }
    assert!(store.resolve(1).await.is_err());
    assert!(store.adopt(Catalog::default(), Renames::default()).await.is_err());
    assert!(Box::new(store).close().await.is_err());
    goes_on(home.path(), &mut model, &mut random).await;
}

#[tokio::test]
async fn commits_wait_for_the_checkpoint_when_the_journal_has_all_its_segments() {
    let mut random = Random::from_environment();
    let home = tempfile::tempdir().unwrap();
    let small = SledOptions {
        segment_bytes: 64 << 10,
        journal_segments_max: 2,
        seed: 5,
        ..SledOptions::default()
    };
    let mut store = open_sled(home.path(), small).await;
    let mut model = Model::default();
    let mut filled = 0;
    for id in 1..150 {
        let batch = Batch { id, ..model.batch(&mut random) };
        let durable = store.commit(&batch).await.unwrap();
        model.apply(&batch, &durable);
        let segments = store.files.as_ref().unwrap().journal.segments();
        filled = segments.last().unwrap().number;
        // What one commit fills comes on top: a segment, and one for itself.
        assert!(segments.len() <= 2 + 2, "{} segments", segments.len());
    }
    assert!(filled > 10, "{filled} segments");
    base_holds_what_is_open(&mut store, &mut model, &mut random, 150).await;
    assert!(store.base.position() > 0);
    drop(store);
    goes_on(home.path(), &mut model, &mut random).await;
}

#[tokio::test]
async fn a_partition_that_only_half_done_positions_name_is_checkpointed() {
    let mut random = Random::from_environment();
    let home = tempfile::tempdir().unwrap();
    let mut store = open_sled(home.path(), options()).await;
    let foreign = Position::Foreign(partition(9), 5);
    let half = handled_of(foreign.clone(), "audit", &["audit", "deposit"]);
    store.commit(&Batch { id: 1, entries: vec![half], ..Batch::default() }).await.unwrap();
    let mut model = Model::default();
    base_holds_what_is_open(&mut store, &mut model, &mut random, 2).await;
    drop(store);
    let open = subject(home.path()).open().await;
    let left = open.recovered.pending.iter().find(|(position, _)| *position == foreign);
    assert_eq!(left.unwrap().1, texts(&["deposit"]));
}
