use framework::broker::memory::MemoryBroker;
use framework::store::memory::{Fault, MemoryStore};
use framework::testing::TestApp;

use crate::ledger::{Move, app};
use crate::support::{Dice, Trail, in_time};

/// A run with random keys, waits, copies, conflicts and a crash; everything that it traced.
fn run(seed: u64) -> String {
    let (trail, _guard) = Trail::record();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(steps(seed)).expect("no error");
    trail.text()
}

async fn steps(seed: u64) -> anyhow::Result<()> {
    let mut dice = Dice::new(seed);
    let (broker, store) = (MemoryBroker::default(), MemoryStore::new(7));
    for _ in 0..3 {
        let service = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
        for number in 0..60 {
            let (account, yields) = (dice.roll(30), dice.roll(40));
            drop(service.service().producer().send(Move { account, number, yields }));
            match dice.roll(8) {
                0 => store.inject([Fault::Conflict, Fault::UnknownCommitted]),
                1 => tokio::task::yield_now().await,
                2 => {
                    let copies = broker.published("moves");
                    copies.into_iter().take(1).for_each(|m| broker.publish_again("moves", m));
                }
                _ => {}
            }
        }
        for _ in 0..dice.roll(60) {
            tokio::task::yield_now().await;
        }
        // Dropped in the middle: a crash.
    }
    let mut service = TestApp::start_on(app(), broker, store).await?;
    in_time(service.settle()).await?;
    Ok(in_time(service.stop()).await?)
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 1..5 {
        let (one, other) = (run(seed), run(seed));
        assert!(one.lines().count() > 1_000, "it says what it does");
        for (one, other) in one.lines().zip(other.lines()) {
            assert_eq!(one, other, "the first difference, of seed {seed}");
        }
        assert_eq!(one, other, "seed {seed}");
        assert_ne!(one, run(seed + 100), "another seed is another run");
    }
}
