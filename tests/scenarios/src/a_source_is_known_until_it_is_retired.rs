use framework::broker::memory::MemoryBroker;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;
use framework::{Accepted, IntakeError, Sent};
use futures::future::join_all;
use futures::stream;

use crate::bank::{app, deposit_of};
use crate::support::in_time;

#[tokio::test(start_paused = true)]
async fn a_number_that_was_never_sent_is_told_from_one_that_was() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
    let bank = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
    let lines =
        |numbers: &[u64]| stream::iter(numbers.to_vec()).map(|n| (n, deposit_of("a", n as i64)));
    use futures::StreamExt;
    let producer = bank.service().producer();
    let sent = producer.send_all_from("file", lines(&[1, 2, 5, 6, 9])).await?;
    assert_eq!(sent, Sent { new: 5, ..Sent::default() });
    drop(bank);

    let bank = TestApp::start_on(app(), broker, store).await?;
    let producer = bank.service().producer();
    for (number, expected) in [
        (1, Accepted::Already),
        (3, Accepted::Skipped),
        (0, Accepted::Skipped),
        (9, Accepted::Already),
        (12, Accepted::New),
        (3, Accepted::Skipped),
    ] {
        let sent = producer.send_from("file", number, deposit_of("a", 0)).await?;
        assert_eq!(sent, expected, "number {number}");
    }
    let sent = producer.send_all_from("file", lines(&[4, 5, 6, 7, 13])).await?;
    assert_eq!(sent, Sent { new: 1, already: 2, skipped: 2 });
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn sources_are_listed_in_pages_and_retired() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
    let bank = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
    let (producer, sources) = (bank.service().producer(), bank.service().sources());
    for (source, number) in [("a.csv", 1), ("b.csv", 7), ("c.csv", 3)] {
        producer.send_from(source, number, deposit_of("a", 1)).await?;
    }
    let page = sources.list(None, 2).await?;
    let shown = page.items.iter().map(|source| (&*source.name, source.next));
    assert!(shown.eq([("a.csv", 2), ("b.csv", 8)]), "{page:?}");
    let page = sources.list(page.next.as_deref(), 2).await?;
    assert_eq!((page.items.len(), page.next), (1, None));

    assert!(sources.retire("b.csv").await?);
    assert!(!sources.retire("b.csv").await?, "it is gone");
    bank.stop().await?;
    let bank = TestApp::start_on(app(), broker, store).await?;
    let producer = bank.service().producer();
    assert_eq!(producer.sent_from("b.csv").await?, 0);
    assert_eq!(producer.send_from("b.csv", 7, deposit_of("a", 1)).await?, Accepted::New);
    assert_eq!(producer.send_from("a.csv", 1, deposit_of("a", 1)).await?, Accepted::Already);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn beyond_ten_thousand_a_new_one_is_refused_until_one_is_retired() -> anyhow::Result<()> {
    let bank = TestApp::start(app()).await?;
    let (producer, sources) = (bank.service().producer(), bank.service().sources());
    let send = |n: u64| producer.send_from(&n.to_string(), 0, deposit_of(&n.to_string(), 1));
    for sent in in_time(join_all((0..10_000).map(send))).await {
        assert_eq!(sent?, Accepted::New);
    }
    let refused = send(10_000).await.unwrap_err();
    assert!(matches!(refused, IntakeError::Sources { max: 10_000, .. }), "{refused}");
    let of_known = producer.send_from("7", 1, deposit_of("7", 1)).await?;
    assert_eq!(of_known, Accepted::New, "those that are known go on");
    assert!(sources.retire("0").await?);
    assert_eq!(send(10_000).await?, Accepted::New);
    Ok(())
}
