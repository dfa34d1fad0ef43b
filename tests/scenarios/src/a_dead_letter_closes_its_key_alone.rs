use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use framework::broker::memory::MemoryBroker;
use framework::dead_letters::{Filter, WaitsFor};
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;

use crate::bank::{Account, Deposit, deposit_of};
use crate::support::in_time;

/// The amounts that are refused at the moment.
#[derive(Clone, Default)]
struct Refused(Arc<Mutex<BTreeSet<i64>>>);

impl Refused {
    fn these(amounts: impl IntoIterator<Item = i64>) -> Self {
        Refused(Arc::new(Mutex::new(amounts.into_iter().collect())))
    }

    fn none(&self) {
        self.0.lock().unwrap().clear();
    }

    fn check(&self, cents: i64) -> Result<()> {
        if self.0.lock().unwrap().contains(&cents) {
            return Err(HandlerError::permanent(format!("{cents} is refused")));
        }
        Ok(())
    }
}

#[handler]
async fn enter(cmd: Deposit, account: &mut Account, refused: &Refused) -> Result<()> {
    refused.check(cmd.cents)?;
    account.history.push(cmd.cents);
    Ok(())
}

#[handler(gap = skip("30s"), name = "enter")]
async fn enter_or_skip(
    cmd: Deposit,
    late: Late,
    account: &mut Account,
    refused: &Refused,
) -> Result<()> {
    refused.check(cmd.cents)?;
    account.history.push(if late.0 { -cmd.cents } else { cmd.cents });
    Ok(())
}

async fn start(
    refused: &Refused,
    handlers: Handlers,
    broker: &MemoryBroker,
    store: &MemoryStore,
) -> anyhow::Result<TestApp> {
    let app = App::new("bank").provide(refused.clone()).handlers(handlers);
    Ok(TestApp::start_on(app, broker.clone(), store.clone()).await?)
}

async fn history(bank: &TestApp, account: &str) -> anyhow::Result<Vec<i64>> {
    Ok(bank.state::<Account>(account).await?.unwrap_or_default().history)
}

async fn deposit_all(bank: &mut TestApp, amounts: &[i64]) -> anyhow::Result<()> {
    for cents in amounts {
        bank.publish(deposit_of("a", *cents)).await?;
        bank.publish(deposit_of("b", *cents + 1_000)).await?;
    }
    Ok(in_time(bank.settle()).await?)
}

#[tokio::test(start_paused = true)]
async fn until_it_is_replayed_also_after_a_restart() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::new(1), MemoryStore::new(1));
    let refused = Refused::these([2, 4]);
    let mut bank = start(&refused, handlers![enter], &broker, &store).await?;
    deposit_all(&mut bank, &[1, 2, 3]).await?;
    deposit_all(&mut bank, &[4, 5]).await?;
    drop(bank);
    let mut bank = start(&refused, handlers![enter], &broker, &store).await?;
    deposit_all(&mut bank, &[6]).await?;
    assert_eq!(history(&bank, "a").await?, [1], "its key waits");
    let others = [1_001, 1_002, 1_003, 1_004, 1_005, 1_006];
    assert_eq!(history(&bank, "b").await?, others, "the others go on");
    assert_eq!(broker.unsettled("bank", "deposits"), 0, "what waits is the store's");

    let letters = bank.dead_letters();
    let dead = letters.list(&Filter::new().handler("enter").key("a")).await?.items;
    let [two] = dead.as_slice() else { panic!("{dead:?}") };
    assert_eq!((two.attempts, two.followers), (1, 4));
    assert!(two.error.contains("2 is refused"), "{}", two.error);
    let holds = letters.holds(None, 10).await?.items;
    assert!(holds.iter().all(|hold| matches!(
        hold.waits_for,
        WaitsFor::DeadLetter { number, .. } if number == two.number
    )));

    // Replayed too early it is given up again, and its history is kept.
    assert_eq!(letters.replay(vec![two.number]).await?.done, [two.number]);
    in_time(bank.settle()).await?;
    assert_eq!(history(&bank, "a").await?, [1]);
    assert_eq!(letters.show(two.number).await?.expect("it is there").failures.len(), 2);

    refused.none();
    assert_eq!(letters.replay(Filter::new()).await?.done, [two.number]);
    in_time(bank.settle()).await?;
    assert_eq!(history(&bank, "a").await?, [1, 2, 3, 4, 5, 6]);
    let kept = bank.service().status().await?.kept;
    assert_eq!((kept.dead, kept.held, kept.waiting), (0, 0, 0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn until_it_is_discarded() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::new(1), MemoryStore::new(1));
    let refused = Refused::these([2, 4]);
    let mut bank = start(&refused, handlers![enter], &broker, &store).await?;
    deposit_all(&mut bank, &[1, 2, 3, 4, 5]).await?;
    let letters = bank.dead_letters();
    for left in [[1, 3].as_slice(), &[1, 3, 5]] {
        let dead = letters.list(&Filter::new()).await?.items;
        let numbers: Vec<u64> = dead.iter().map(|letter| letter.number).collect();
        assert_eq!(numbers.len(), 1, "one at a time: the next is held behind it");
        assert_eq!(letters.discard(numbers.clone()).await?.done, numbers);
        assert_eq!(letters.discard(numbers.clone()).await?.missing, numbers, "it is gone");
        in_time(bank.settle()).await?;
        assert_eq!(history(&bank, "a").await?, left);
    }
    drop(bank);
    let mut bank = start(&refused, handlers![enter], &broker, &store).await?;
    deposit_all(&mut bank, &[6]).await?;
    assert_eq!(history(&bank, "a").await?, [1, 3, 5, 6], "what is given up is handled no more");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn or_for_as_long_as_its_handler_says() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::new(1), MemoryStore::new(1));
    let refused = Refused::these([2]);
    let mut bank = start(&refused, handlers![enter_or_skip], &broker, &store).await?;
    deposit_all(&mut bank, &[1, 2, 3]).await?;
    assert_eq!(history(&bank, "a").await?, [1]);
    bank.advance(Duration::from_secs(29)).await?;
    assert_eq!(history(&bank, "a").await?, [1]);
    bank.advance(Duration::from_secs(2)).await?;
    assert_eq!(history(&bank, "a").await?, [1, 3], "its time is over");

    drop(bank);
    let mut bank = start(&refused, handlers![enter_or_skip], &broker, &store).await?;
    deposit_all(&mut bank, &[4]).await?;
    assert_eq!(history(&bank, "a").await?, [1, 3, 4], "a spent skip stays spent");
    let letters = bank.dead_letters();
    letters.replay(Filter::new()).await?;
    in_time(bank.settle()).await?;
    deposit_all(&mut bank, &[5]).await?;
    assert_eq!(history(&bank, "a").await?, [1, 3, 4, 5], "also when it fails again");
    refused.none();
    letters.replay(Filter::new()).await?;
    in_time(bank.settle()).await?;
    assert_eq!(history(&bank, "a").await?, [1, 3, 4, 5, -2], "and it comes late");
    Ok(())
}
