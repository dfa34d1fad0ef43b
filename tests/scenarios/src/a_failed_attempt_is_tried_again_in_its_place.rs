use std::sync::{Arc, Mutex};
use std::time::Duration;

use framework::broker::memory::MemoryBroker;
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;
use tokio::time::Instant;

use crate::bank::{Account, Deposit, Deposited, deposit_of};
use crate::support::in_time;

/// What each attempt at the deposit of 13 does, and when each was made.
#[derive(Clone, Default)]
struct Plan(Arc<Mutex<Attempts>>);

/// What is left to do, and which attempts were made when.
type Attempts = (Vec<Attempted>, Vec<(u32, Instant)>);

#[derive(Clone, Copy, Debug)]
enum Attempted {
    Fails,
    Panics,
    Hangs,
}

impl Plan {
    fn of(attempts: &[Attempted]) -> Self {
        Plan(Arc::new(Mutex::new((attempts.to_vec(), Vec::new()))))
    }

    fn next(&self, attempt: u32) -> Option<Attempted> {
        let (left, made) = &mut *self.0.lock().unwrap();
        made.push((attempt, Instant::now()));
        (!left.is_empty()).then(|| left.remove(0))
    }

    fn made(&self) -> Vec<(u32, Instant)> {
        self.0.lock().unwrap().1.clone()
    }
}

#[handler(retry(attempts = 5, min = "100ms", max = "10s"), timeout = "3s")]
async fn enter(
    cmd: Deposit,
    attempt: Attempt,
    account: &mut Account,
    outbox: &mut Outbox,
    plan: &Plan,
) -> Result<()> {
    account.history.push(cmd.cents);
    account.balance += cmd.cents;
    outbox.send(Deposited { account: cmd.account, balance: account.balance });
    if cmd.cents == 13 {
        match plan.next(attempt.0) {
            Some(Attempted::Fails) => return Err("the disk is full".into()),
            Some(Attempted::Panics) => panic!("thirteen is too much"),
            Some(Attempted::Hangs) => std::future::pending().await,
            None => {}
        }
    }
    Ok(())
}

fn app(plan: &Plan) -> App {
    App::new("bank").provide(plan.clone()).handlers(handlers![enter])
}

const ALL: [(&str, i64); 7] =
    [("a", 1), ("b", 2), ("a", 13), ("a", 4), ("b", 5), ("c", 6), ("a", 7)];

async fn check(bank: &TestApp) -> anyhow::Result<()> {
    for (account, history) in [("a", vec![1, 13, 4, 7]), ("b", vec![2, 5]), ("c", vec![6])] {
        assert_eq!(bank.state::<Account>(account).await?.unwrap().history, history);
    }
    let mut balances: Vec<i64> = bank.published::<Deposited>()?.iter().map(|d| d.balance).collect();
    balances.sort_unstable();
    assert_eq!(balances, [1, 2, 6, 7, 14, 18, 25], "an attempt that failed has sent nothing");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn by_an_error_a_panic_or_a_timeout() -> anyhow::Result<()> {
    use Attempted::{Fails, Hangs, Panics};
    let plan = Plan::of(&[Fails, Panics, Hangs, Fails]);
    let mut bank = TestApp::start(app(&plan)).await?;
    for (account, cents) in ALL {
        bank.publish(deposit_of(account, cents)).await?;
    }
    in_time(bank.settle()).await?;
    check(&bank).await?;
    let made = plan.made();
    assert_eq!(made.iter().map(|(attempt, _)| *attempt).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let waits: Vec<Duration> = made.windows(2).map(|pair| pair[1].1 - pair[0].1).collect();
    let ms = Duration::from_millis;
    assert!(waits[0] >= ms(100) && waits[0] <= ms(201), "{waits:?}");
    assert!(waits[2] >= ms(3_000), "the third took all of its time: {waits:?}");
    let (retried, dead) = {
        let counts = bank.service().counts();
        (counts.retried().next(), counts.dead().next())
    };
    assert_eq!((retried, dead), (Some(("enter", 4)), Some(("enter", 0))));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_restart_in_the_middle_of_a_wait_forgets_nothing() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::new(1), MemoryStore::new(1));
    let plan = Plan::of(&[Attempted::Fails; 4]);
    let mut bank = TestApp::start_on(app(&plan), broker.clone(), store.clone()).await?;
    let mut sent = ALL.iter();
    for restarts in 1..5 {
        for (account, cents) in sent.by_ref().take(3) {
            bank.publish(deposit_of(account, *cents)).await?;
        }
        let failed = || plan.made().len() >= restarts;
        in_time(async {
            while !failed() || bank.service().status().await?.kept.waiting == 0 {
                tokio::task::yield_now().await;
                tokio::time::advance(Duration::from_millis(1)).await;
            }
            anyhow::Ok(())
        })
        .await?;
        // As a crash, while the deposit of 13 waits for its next attempt.
        drop(bank);
        bank = TestApp::start_on(app(&plan), broker.clone(), store.clone()).await?;
    }
    in_time(bank.settle()).await?;
    check(&bank).await?;
    let made: Vec<u32> = plan.made().iter().map(|(attempt, _)| *attempt).collect();
    assert_eq!(made, [1, 2, 3, 4, 5], "no attempt is forgotten");
    Ok(())
}
