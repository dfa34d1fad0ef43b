use framework::broker::memory::MemoryBroker;
use framework::dead_letters::{Body, Filter};
use framework::prelude::*;
use framework::raw_states::{KeyFilter, NewState};
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;

use crate::bank::{Account, Deposit, deposit_of};

/// What the next version of the program keeps under the same name, without an upcast.
#[derive(Default, State, Serialize, Deserialize)]
#[state(name = "account")]
struct Ledger {
    cents: i64,
}

#[handler(name = "booked")]
fn before(cmd: Deposit, account: &mut Account) {
    account.balance += cmd.cents;
}

#[handler(name = "booked")]
fn after(cmd: Deposit, ledger: &mut Ledger) {
    ledger.cents += cmd.cents;
}

#[tokio::test(start_paused = true)]
async fn a_state_that_no_handler_can_read_is_mended() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
    let app = App::new("bank").handlers(handlers![before]);
    let mut bank = TestApp::start_on(app, broker.clone(), store.clone()).await?;
    bank.publish(deposit_of("ada", 5)).await?;
    bank.publish(deposit_of("bob", 6)).await?;
    bank.settle().await?;
    bank.stop().await?;

    let app = App::new("bank").handlers(handlers![after]);
    let mut bank = TestApp::start_on(app, broker, store).await?;
    for cents in [10, 20, 30] {
        bank.publish(deposit_of("ada", cents)).await?;
    }
    bank.settle().await?;
    let letters = bank.dead_letters().list(&Filter::new()).await?.items;
    assert_eq!((letters.len(), letters[0].followers), (1, 2));

    let states = bank.service().raw_states();
    let listed = states.list("account", &KeyFilter::new()).await?.items;
    assert!(listed.iter().all(|entry| entry.problem.is_some()), "{listed:?}");
    let found = states.get("account", "ada").await?.unwrap();
    assert_eq!(found.json, Body::Text(r#"{"balance":5,"history":[]}"#.into()));
    let problem = found.problem.unwrap();
    assert!(problem.contains("state `account`") && problem.contains("`cents`"), "{problem}");

    let mended = NewState::json(r#"{"cents":5}"#).expected(found.version);
    states.set("account", "ada", mended).await?;
    bank.dead_letters().replay(Filter::new()).await?;
    bank.settle().await?;
    let ada = bank.state::<Ledger>("ada").await?.unwrap();
    assert_eq!(ada.cents, 65, "what was given up, then what was held");
    assert_eq!(states.get("account", "ada").await?.unwrap().problem, None);

    assert!(states.remove("account", "bob", None).await?);
    bank.publish(deposit_of("bob", 1)).await?;
    bank.settle().await?;
    assert_eq!(bank.state::<Ledger>("bob").await?.unwrap().cents, 1, "it began anew");
    Ok(bank.stop().await?)
}
