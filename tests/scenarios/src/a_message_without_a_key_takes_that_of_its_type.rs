use framework::broker::memory::MemoryBroker;
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;

use crate::bank::{Account, app};
use crate::support::in_time;

/// The deposit as a sender knew it before it had a key.
#[derive(Message, Serialize, Deserialize)]
#[message(topic = "deposits", type = "Deposit")]
struct Old {
    account: String,
    cents: i64,
}

#[tokio::test(start_paused = true)]
async fn a_message_without_a_key_takes_that_of_its_type() -> anyhow::Result<()> {
    let broker = MemoryBroker::default();
    let sender = App::new("sender").handlers(Handlers::new());
    let sender = TestApp::start_on(sender, broker.clone(), MemoryStore::new(2)).await?;
    let mut bank = TestApp::start_on(app(), broker, MemoryStore::new(1)).await?;
    for cents in 1..=3 {
        sender.publish(Old { account: "a".into(), cents }).await?;
        in_time(bank.settle()).await?;
    }
    in_time(bank.settle()).await?;
    assert_eq!(bank.state::<Account>("a").await?.map(|account| account.balance), Some(6));
    Ok(())
}
