use framework::Running;
use framework::prelude::*;

use crate::bank::{Account, Deposit, deposit_of};
use crate::support::{Gate, in_time};

#[handler]
async fn booked(cmd: Deposit, account: &mut Account, gate: &Gate) {
    gate.pass("booked").await;
    account.history.push(cmd.cents);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_says_who_reads_a_topic_and_how_far_behind() -> anyhow::Result<()> {
    let (home, gate) = (tempfile::tempdir()?, Gate::shut());
    let app = |name| App::new(name).provide(gate.clone()).handlers(handlers![booked]);
    Running::start(home.path(), [app("bank"), app("audit")]).await?.stop().await?;

    let running = Running::start(home.path(), [app("bank")]).await?;
    let bank = running.service("bank").unwrap();
    for cents in [1, 2, 3] {
        bank.producer().send(deposit_of("ada", cents)).await?;
    }
    in_time(gate.filled(1)).await;
    // One is handled at a time, so two or three of them are not settled by now.
    let status = running.broker_status().unwrap();
    let [topic] = status.topics.as_slice() else { panic!("{status:?}") };
    assert_eq!((&*topic.topic, topic.kept_unread_bytes), ("deposits", None));
    assert!(topic.bytes > 0 && topic.oldest_ms.is_some(), "{topic:?}");
    let behind = |name: &str| {
        let reader = topic.readers.iter().find(|reader| &*reader.consumer == name).unwrap();
        (reader.behind, reader.waits_since_ms.is_some())
    };
    assert_eq!(behind("audit"), (topic.records, true));
    assert!(behind("bank").0 > 0);
    let here = status.consumers.iter().map(|consumer| (&*consumer.consumer, consumer.is_here));
    assert!(here.eq([("audit", false), ("bank", true)]), "{status:?}");
    assert!(status.disk.held_by.is_some() && status.disk.held_bytes <= status.disk.bytes);
    assert_eq!(bank.broker_status().unwrap().topics.len(), 1);
    gate.open();
    Ok(running.stop().await?)
}
