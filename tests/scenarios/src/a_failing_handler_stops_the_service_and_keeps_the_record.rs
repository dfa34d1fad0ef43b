use anyhow::Context;
use framework::broker::memory::MemoryBroker;
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;
use framework::{How, RunError};

use crate::bank::{Account, Deposit, Deposited};
use crate::support::{failure, in_time};

#[derive(Clone, Copy)]
enum Mood {
    Fails,
    Refuses,
    Panics,
    Well,
}

#[handler]
async fn enter(cmd: Deposit, account: &mut Account, mood: &Mood) -> Result<Deposited> {
    account.history.push(cmd.cents);
    account.balance += cmd.cents;
    if cmd.cents == 13 {
        match mood {
            Mood::Fails => {
                Err(anyhow::anyhow!("disk full")).context("write the slip").context("enter it")?
            }
            Mood::Refuses => return Err(HandlerError::permanent("thirteen")),
            Mood::Panics => panic!("thirteen is too much"),
            Mood::Well => {}
        }
    }
    Ok(Deposited { account: cmd.account, balance: account.balance })
}

#[tokio::test(start_paused = true)]
async fn by_an_error() -> anyhow::Result<()> {
    let stopped = stops_and_goes_on(Mood::Fails, How::Failed).await?;
    assert!(stopped.contains("failed at message"), "{stopped}");
    assert!(stopped.contains("enter it: write the slip: disk full;"), "{stopped}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn by_a_permanent_error() -> anyhow::Result<()> {
    let stopped = stops_and_goes_on(Mood::Refuses, How::FailedForGood).await?;
    assert!(stopped.contains("failed for good at message"), "{stopped}");
    assert!(stopped.contains(": thirteen: marked permanent"), "{stopped}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn by_a_panic() -> anyhow::Result<()> {
    let stopped = stops_and_goes_on(Mood::Panics, How::Panicked).await?;
    assert!(stopped.contains("panicked at message"), "{stopped}");
    assert!(stopped.contains("thirteen is too much;"), "{stopped}");
    Ok(())
}

/// What the service says when it stops; mended, it handles everything once and in order.
async fn stops_and_goes_on(mood: Mood, expected: How) -> anyhow::Result<String> {
    let (broker, store) = (MemoryBroker::new(1), MemoryStore::new(1));
    let app = |mood: Mood| App::new("bank").provide(mood).handlers(handlers![enter]);
    let mut bank = TestApp::start_on(app(mood), broker.clone(), store.clone()).await?;
    let deposits = [("a", 1), ("b", 2), ("a", 13), ("a", 4), ("b", 5), ("c", 6)];
    let all = deposits.map(|(account, cents)| Deposit { account: account.into(), cents });
    let sends = all.map(|deposit| bank.publish(deposit));
    futures::future::try_join_all(sends).await?;
    let error = failure(&mut bank).await;
    let RunError::Handler(stopped) = &error else { panic!("{error}") };
    assert_eq!(
        (&*stopped.handler, stopped.how, stopped.key.as_deref()),
        ("enter", expected, Some("a"))
    );
    let text = error.to_string();
    assert!(text.contains(&stopped.position.to_string()) && text.contains("key \"a\""), "{text}");
    assert_eq!(
        bank.state::<Account>("a").await?.unwrap().history,
        [1],
        "what was ready is durable"
    );
    assert!(broker.unsettled("bank", "deposits") >= 2, "the failed one and those behind it stay");
    assert!(bank.published::<Deposited>()?.iter().all(|sent| sent.balance != 14));
    bank.stop().await?;

    let mut bank = TestApp::start_on(app(Mood::Well), broker, store).await?;
    in_time(bank.settle()).await?;
    for (account, history) in [("a", vec![1, 13, 4]), ("b", vec![2, 5]), ("c", vec![6])] {
        assert_eq!(bank.state::<Account>(account).await?.unwrap().history, history);
    }
    assert_eq!(bank.published::<Deposited>()?.len(), deposits.len());
    Ok(text)
}
