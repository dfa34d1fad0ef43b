use framework::RunError;
use framework::broker::memory::MemoryBroker;
use framework::store::memory::{Fault, MemoryStore};
use framework::testing::TestApp;

use crate::bank;
use crate::ledger::{Move, app, check};
use crate::support::{Dice, failure, for_seeds, in_time};

const MOVES: u64 = 80;

/// Sends moves while the commits meet these faults, in turn; then all must be as without them.
async fn under(faults: &[Fault]) -> anyhow::Result<()> {
    let mut app = TestApp::start(app()).await?;
    app.store().inject(faults.iter().copied().cycle().take(40));
    let moves: Vec<(u64, u64)> = (0..MOVES).map(|number| (number % 3, number)).collect();
    for &(account, number) in &moves {
        let send = app.service().producer().send(Move { account, number, yields: number });
        if number % 8 == 0 {
            in_time(send).await?;
        }
    }
    in_time(app.settle()).await?;
    check(&app, &moves).await?;
    Ok(in_time(app.stop()).await?)
}

#[tokio::test(start_paused = true)]
async fn no_room_is_waited_out() -> anyhow::Result<()> {
    under(&[Fault::NoRoom, Fault::NoRoom, Fault::None]).await
}

#[tokio::test(start_paused = true)]
async fn a_conflict_runs_the_lane_again_from_the_stored_state() -> anyhow::Result<()> {
    under(&[Fault::Conflict]).await?;
    under(&[Fault::Conflict, Fault::None, Fault::None]).await
}

#[tokio::test(start_paused = true)]
async fn an_unknown_commit_that_happened_is_not_repeated() -> anyhow::Result<()> {
    under(&[Fault::UnknownCommitted]).await
}

#[tokio::test(start_paused = true)]
async fn an_unknown_commit_that_did_not_happen_is_repeated() -> anyhow::Result<()> {
    under(&[Fault::UnknownLost, Fault::NoRoom, Fault::UnknownCommitted]).await
}

#[tokio::test(start_paused = true)]
async fn a_failed_write_stops_the_service_with_its_cause() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
    let mut app = TestApp::start_on(bank::app(), broker.clone(), store.clone()).await?;
    store.inject([Fault::None, Fault::Failed]);
    app.publish(bank::deposit_of("a", 1)).await?;
    let error = failure(&mut app).await;
    assert!(matches!(error, RunError::Commit(_)), "{error:?}");
    assert!(error.to_string().contains("injected failure"), "{error}");
    // What has ended is closed; the history that follows shows that nothing was written.
    let closed = app.state::<bank::Account>("a").await.unwrap_err();
    assert!(closed.to_string().contains("ended"), "{closed}");
    let mut app = TestApp::start_on(bank::app(), broker, store).await?;
    in_time(app.settle()).await?;
    assert_eq!(app.state::<bank::Account>("a").await?.unwrap().history, [1]);
    Ok(())
}

#[test]
fn mixed_at_random() {
    for_seeds(60, |seed| async move {
        let mut dice = Dice::new(seed);
        let faults = [
            Fault::None,
            Fault::NoRoom,
            Fault::Conflict,
            Fault::Conflict,
            Fault::UnknownCommitted,
            Fault::UnknownLost,
        ];
        let mixed: Vec<Fault> = (0..40).map(|_| faults[dice.roll(6) as usize]).collect();
        under(&mixed).await
    });
}
