use framework::broker::Publication;
use framework::broker::memory::MemoryBroker;
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::stream::Slot;
use framework::testing::TestApp;

use crate::bank::{Account, app, deposit, deposit_of};
use crate::support::in_time;

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "plain")]
struct Plain {
    n: u64,
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "seen", key = id)]
struct Seen {
    id: String,
    tenant: Option<String>,
}

#[handler]
async fn plain(message: Plain, id: MessageId, headers: Headers) -> Seen {
    let tenant = headers.get("tenant").map(str::to_owned);
    Seen { id: format!("{id} {}", message.n), tenant }
}

fn raw(headers: &[(&str, &str)], key: Option<&str>, body: String) -> Publication {
    Publication {
        topic: "deposits".into(),
        slot: Slot(0),
        key: key.map(Into::into),
        headers: headers.iter().copied().collect(),
        body: body.into(),
    }
}

#[tokio::test(start_paused = true)]
async fn by_partition_and_offset_across_restarts() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::new(1), MemoryStore::new(1));
    for round in 0..4 {
        let mut bank = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
        for n in 0..3 {
            // The key is what the body says, not what the record does.
            let cents = round * 10 + n;
            let body = format!(r#"{{"account":"a","cents":{cents}}}"#);
            broker.publish_again("deposits", raw(&[], Some("other"), body));
            bank.publish(deposit_of("b", cents)).await?;
        }
        if round % 2 == 0 {
            // A crash in the middle.
            tokio::task::yield_now().await;
            continue;
        }
        in_time(bank.settle()).await?;
    }
    let mut bank = TestApp::start_on(app(), broker, store).await?;
    in_time(bank.settle()).await?;
    let expected = [0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32];
    assert_eq!(bank.state::<Account>("a").await?.unwrap().history, expected);
    assert_eq!(bank.state::<Account>("b").await?.unwrap().history, expected);
    assert_eq!(bank.state::<Account>("other").await?, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_nothing_takes_is_settled_without_a_handler() -> anyhow::Result<()> {
    let mut bank = TestApp::start(app()).await?;
    bank.broker().publish_again("deposits", raw(&[("ce_type", "Stranger")], None, "?".into()));
    let disguised = bank.publish(deposit_of("a", 2).header("ce_type", "Stranger")).await;
    assert!(disguised.is_err(), "a user's header takes no attribute's place");
    bank.publish(deposit_of("a", 1)).await?;
    in_time(bank.settle()).await?;
    assert_eq!(bank.service().counts().fetched(), 3);
    let history = bank.state::<Account>("a").await?.unwrap().history;
    assert_eq!(history, [1]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn two_copies_of_a_foreign_record_are_two_messages() -> anyhow::Result<()> {
    let app = App::new("bank").handlers(handlers![plain, deposit]);
    let mut bank = TestApp::start_on(app, MemoryBroker::new(1), MemoryStore::new(1)).await?;
    for _ in 0..2 {
        let record = raw(&[("tenant", "north")], None, r#"{"n":5}"#.into());
        bank.broker().publish_again("plain", record);
    }
    in_time(bank.settle()).await?;
    let seen = bank.published::<Seen>()?;
    assert!(seen.iter().all(|seen| seen.tenant.as_deref() == Some("north")));
    let mut ids: Vec<_> = seen.into_iter().map(|seen| seen.id).collect();
    ids.sort();
    assert_eq!(ids, ["memory/plain.1/0@0 5", "memory/plain.1/0@1 5"]);
    Ok(())
}
