use framework::broker::memory::MemoryBroker;
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;

use crate::bank::{Account, Deposit, deposit_of};
use crate::support::{Gate, in_time};

#[handler]
async fn held(cmd: Deposit, account: &mut Account, gate: &Gate) {
    gate.pass("held").await;
    account.history.push(cmd.cents);
}

#[tokio::test(start_paused = true)]
async fn a_stop_finishes_what_is_in_progress() -> anyhow::Result<()> {
    let (broker, store, gate) = (MemoryBroker::default(), MemoryStore::new(1), Gate::shut());
    let app = || App::new("bank").provide(gate.clone()).handlers(handlers![held]);
    let bank = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
    for cents in 0..10 {
        bank.publish(deposit_of("a", cents)).await?;
    }
    gate.filled(1).await;
    let stop = bank.stop();
    let handle = async {
        tokio::task::yield_now().await;
        gate.open();
    };
    let (stopped, ()) = in_time(futures::future::join(stop, handle)).await;
    stopped?;
    let left = broker.unsettled("bank", "deposits");
    assert!(left < 10, "what was begun is settled");

    let mut bank = TestApp::start_on(app(), broker.clone(), store).await?;
    in_time(bank.settle()).await?;
    assert!(bank.state::<Account>("a").await?.unwrap().history.into_iter().eq(0..10));
    assert_eq!(bank.service().counts().handled().next(), Some(("held", left)));
    assert_eq!(bank.service().counts().duplicates(), 0, "no record comes again");
    Ok(())
}
