use framework::broker::memory::MemoryBroker;
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;

use crate::bank::{Account, Deposit, deposit, deposit_of};
use crate::support::{Gate, in_time, until};

#[derive(Default, State, Serialize, Deserialize)]
struct Notes {
    cents: Vec<i64>,
}

#[handler]
async fn note(cmd: Deposit, notes: &mut Notes, gate: &Gate) {
    gate.pass("note").await;
    notes.cents.push(cmd.cents);
}

fn app(gate: &Gate) -> App {
    App::new("bank").provide(gate.clone()).handlers(handlers![deposit, note])
}

#[tokio::test(start_paused = true)]
async fn a_half_done_position_resumes_with_what_is_left() -> anyhow::Result<()> {
    let (broker, store, gate) = (MemoryBroker::default(), MemoryStore::new(1), Gate::shut());
    let bank = TestApp::start_on(app(&gate), broker.clone(), store.clone()).await?;
    bank.publish(deposit_of("a", 5)).await?;
    gate.filled(1).await;
    until(|| bank.service().counts().handled().any(|count| count == ("deposit", 1))).await;
    assert_eq!(bank.state::<Account>("a").await?.unwrap().history, [5], "durable by itself");
    assert_eq!(broker.unsettled("bank", "deposits"), 1);
    drop(bank);

    gate.open();
    let mut bank = TestApp::start_on(app(&gate), broker.clone(), store).await?;
    in_time(bank.settle()).await?;
    let handled: Vec<_> = bank.service().counts().handled().collect();
    assert_eq!(handled, [("deposit", 0), ("note", 1)], "only what was left ran");
    assert_eq!(bank.state::<Account>("a").await?.unwrap().history, [5]);
    assert_eq!(bank.state::<Notes>("a").await?.unwrap().cents, [5]);
    assert_eq!(broker.unsettled("bank", "deposits"), 0);
    Ok(())
}
