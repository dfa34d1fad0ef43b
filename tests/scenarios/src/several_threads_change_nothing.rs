use framework::broker::memory::MemoryBroker;
use framework::store::memory::{Fault, MemoryStore};
use framework::testing::TestApp;

use crate::ledger::{Move, app, check};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_threads_change_nothing() -> anyhow::Result<()> {
    for round in 0..20 {
        let (broker, store) = (MemoryBroker::default(), MemoryStore::new(round));
        let moves: Vec<(u64, u64)> = (0..150).map(|number| (number % 7, number)).collect();
        let mut service = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
        for &(account, number) in &moves {
            let message = Move { account, number, yields: number };
            drop(service.service().producer().send_from("test", number, message));
            if number % 50 == 20 {
                store.inject([Fault::Conflict, Fault::UnknownCommitted, Fault::UnknownLost]);
            }
        }
        service.service().producer().send_from("test", 150, Move::ending()).await?;
        // A crash somewhere on the way.
        service = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
        service.settle().await?;
        check(&service, &moves).await?;
        service.stop().await?;
    }
    Ok(())
}
