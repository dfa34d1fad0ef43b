//! A kill within a commit: what was not acknowledged is there whole or not at all.

use std::sync::Arc;

use super::conformance::in_dir;
use super::cuts::copy;
use super::stops::open_sled;
use crate::journal::HeadSync;
use crate::store::reader::TablesReader;
use crate::store::sled::SledOptions;
use crate::store::states::Cold;
use crate::store::{Batch, Store, change};
use crate::testing::store_conformance::accepted;
use crate::testing::store_conformance::model::{Model, Random};

#[tokio::test]
async fn a_commit_that_was_not_acknowledged_is_there_whole_or_not_at_all() {
    let mut random = Random::from_environment();
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("store");
    let options = SledOptions {
        segment_bytes: 64 << 10,
        journal_segments_max: 3,
        seed: 5,
        ..SledOptions::default()
    };
    let mut model = Model::default();
    let (mut there, mut absent) = (0, 0);
    for round in 0..12 {
        let mut store = open_sled(&dir, options.clone()).await;
        model.restart();
        for id in 1..8 {
            let batch = Batch { id, ..model.batch(&mut random) };
            let durable = store.commit(&batch).await.unwrap();
            model.apply(&batch, &durable);
        }
        store.end_checkpoint(0).await.unwrap();
        // One more commit, step by step.
        let mut batch = model.batch(&mut random);
        if round % 2 == 1 {
            // A small frame waits in memory for its sync.
            batch.entries.clear();
            batch.confirmed.clear();
        }
        // What was sent tells below whether the commit is there.
        batch.entries.push(accepted().send("out", None, "told apart"));
        let behind = store.behind(&batch).await.unwrap();
        let plan = store.tables.plan(&batch, behind).unwrap();
        let mut after = model.clone();
        after.apply(&batch, &plan.durable);
        let cold: Arc<dyn Cold> = Arc::new(store.base.clone());
        let shared = Arc::clone(&store.tables.shared);
        let reader = TablesReader { shared, cold: Some(cold) };
        let files = store.files.as_mut().unwrap();
        files.journal.append(&change::encode(&plan.changes).unwrap()).unwrap();
        let appended = home.path().join(format!("appended-{round}"));
        copy(&dir, &appended);
        model.check_reader(&reader, 50).await;
        files.journal.sync(HeadSync::Write).unwrap();
        model.check_reader(&reader, 50).await;
        store.tables.shared.show(plan.changes, plan.durable.totals);
        after.check_reader(&reader, 50).await;
        let synced = home.path().join(format!("synced-{round}"));
        copy(&dir, &synced);
        drop((reader, store));

        let open = in_dir(&appended, ()).open().await;
        let sent = |model: &Model| model.sizes().0 as u64;
        let found: u64 = open.reader.sent().await.unwrap().iter().map(|(_, n)| n).sum();
        let has = found == sent(&after) && sent(&after) != sent(&model);
        if has { &after } else { &model }.check(&open).await;
        (there, absent) = (there + u32::from(has), absent + u32::from(!has));
        drop(open);
        after.check(&in_dir(&synced, ()).open().await).await;
        after.restart();
        model = after;
    }
    println!("{there} whole, {absent} absent");
    assert!(absent > 0, "small frames are written with the sync only");
}
