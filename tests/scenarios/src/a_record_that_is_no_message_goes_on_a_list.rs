use std::collections::BTreeSet;

use framework::broker::Publication;
use framework::broker::memory::MemoryBroker;
use framework::dead_letters::{Body, Filter};
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::stream::Slot;
use framework::testing::TestApp;

use crate::bank::{Account, Deposited, app, deposit, deposit_of};
use crate::support::{in_time, until};

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "deposits", key = account)]
struct Undo {
    account: String,
}

#[handler]
async fn undo(_: Undo, account: &mut Account) {
    account.history.pop();
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "deposits")]
struct Ping {}

#[handler]
async fn ping(_: Ping) {}

fn pings_too() -> App {
    App::new("bank").handlers(handlers![deposit, ping])
}

fn raw(headers: &[(&str, &str)], body: &'static str) -> Publication {
    Publication {
        topic: "deposits".into(),
        slot: Slot(0),
        key: None,
        headers: headers.iter().copied().collect(),
        body: body.as_bytes().into(),
    }
}

/// What a service says of a record that is none: it is on the list as it came, once, also when it
/// comes again after a restart, and the service goes on.
async fn refusal(app: fn() -> App, record: Publication) -> anyhow::Result<String> {
    let (broker, store) = (MemoryBroker::new(1), MemoryStore::new(1));
    let mut bank = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
    bank.publish(deposit_of("good", 1)).await?;
    in_time(bank.settle()).await?;
    let body = record.body.clone();
    broker.publish_again("deposits", record);
    bank.publish(deposit_of("good", 2)).await?;
    in_time(bank.settle()).await?;
    assert_eq!(bank.service().counts().invalid(), 1);
    drop(bank);

    let mut bank = TestApp::start_on(app(), broker.clone(), store).await?;
    bank.publish(deposit_of("good", 3)).await?;
    in_time(bank.settle()).await?;
    assert_eq!(bank.state::<Account>("good").await?.unwrap().history, [1, 2, 3]);
    let sent = bank.published::<Deposited>()?.into_iter().map(|sent| sent.balance);
    // What was not confirmed before the crash is published again.
    assert_eq!(sent.collect::<BTreeSet<_>>(), [1, 3, 6].into(), "nothing else took effect");
    assert_eq!(broker.unsettled("bank", "deposits"), 0, "the broker may forget it");

    let invalid = bank.dead_letters().invalid();
    let listed = invalid.list(&Filter::new()).await?.items;
    let [one] = listed.as_slice() else { panic!("{listed:?}") };
    let whole = invalid.show(one.number).await?.expect("it is there");
    assert_eq!(whole.body, Body::of(&body));
    let done = invalid.discard(vec![one.number, 99]).await?;
    assert_eq!((done.done, done.missing), (vec![one.number], vec![99]));
    assert!(invalid.list(&Filter::new()).await?.items.is_empty());
    Ok(format!("{}: {}", one.record, one.reason))
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_no_json_of_a_type_without_a_key() -> anyhow::Result<()> {
    let said = refusal(pings_too, raw(&[("ce_type", "Ping")], "{no json")).await?;
    assert!(said.contains("memory/deposits.1/0@1: its body is no JSON"), "{said}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn no_type_where_the_topic_has_several() -> anyhow::Result<()> {
    let two_types = || App::new("bank").handlers(handlers![deposit, undo]);
    let said = refusal(two_types, raw(&[], r#"{"account":"b","cents":5}"#)).await?;
    assert!(said.contains("no ce_type header") && said.contains("deposits"), "{said}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn attributes_of_endwise_that_make_no_sense() -> anyhow::Result<()> {
    let source = "/endwise/other/00/0/deposits";
    let headers = [("ce_type", "Deposit"), ("ce_source", source), ("ce_id", "no-number")];
    let said = refusal(app, raw(&headers, "{}")).await?;
    assert!(said.contains("ce_id") && said.contains("no-number"), "{said}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_body_that_was_changed_on_the_way() -> anyhow::Result<()> {
    let elsewhere = MemoryBroker::new(1);
    let sender = App::new("sender").handlers(Handlers::new());
    let sender = TestApp::start_on(sender, elsewhere.clone(), MemoryStore::new(2)).await?;
    sender.publish(deposit_of("b", 5)).await?;
    until(|| !elsewhere.published("deposits").is_empty()).await;
    let sent = elsewhere.published("deposits").remove(0);
    let body = br#"{"account":"b","cents":500}"#[..].into();
    let said = refusal(app, Publication { body, ..sent }).await?;
    assert!(said.contains("memory/deposits.1/0@1: its digest does not fit"), "{said}");
    Ok(())
}
