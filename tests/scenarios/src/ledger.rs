//! A service for random runs: one message with three handlers in three components, one of which
//! sends on, and a check that each effect took place once and in order.

use std::sync::{Arc, Mutex};

use framework::prelude::*;
use framework::testing::TestApp;

use crate::support::Dice;

#[derive(Clone, Debug, Message, Serialize, Deserialize)]
#[message(topic = "moves", key = account)]
pub(crate) struct Move {
    pub(crate) account: u64,
    pub(crate) number: u64,
    /// How often its handlers let others run.
    pub(crate) yields: u64,
}

impl Move {
    /// A move of an account that no check looks at.
    pub(crate) fn ending() -> Self {
        Move { account: u64::MAX, number: u64::MAX, yields: 0 }
    }
}

#[derive(Clone, Debug, Message, Serialize, Deserialize)]
#[message(topic = "moved", key = account)]
pub(crate) struct Moved {
    account: u64,
    numbers: Vec<u64>,
}

#[derive(Clone, Debug, Message, Serialize, Deserialize)]
#[message(topic = "ticks", key = account)]
pub(crate) struct Tick {
    account: u64,
    number: u64,
}

#[derive(Default, State, Serialize, Deserialize)]
pub(crate) struct Book {
    numbers: Vec<u64>,
}

#[derive(Default, State, Serialize, Deserialize)]
pub(crate) struct Copy {
    numbers: Vec<u64>,
}

#[derive(Default, State, Serialize, Deserialize)]
pub(crate) struct Sums {
    lengths: Vec<usize>,
}

#[derive(Default, State, Serialize, Deserialize)]
pub(crate) struct Ticks {
    numbers: Vec<u64>,
}

async fn yield_often(times: u64) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

#[handler(retry(attempts = 3, min = "50ms", max = "2s"), timeout = "5s")]
async fn book(message: Move, book: &mut Book, mood: &Mood) -> Result<Moved> {
    yield_often(message.yields % 5).await;
    book.numbers.push(message.number);
    mood.check().await?;
    Ok(Moved { account: message.account, numbers: book.numbers.clone() })
}

#[handler(retry(attempts = 2, min = "1s", max = "2s"), timeout = "5s")]
async fn copy(message: Move, copy: &mut Copy, mood: &Mood) -> Result<()> {
    copy.numbers.push(message.number);
    yield_often(message.yields % 3).await;
    mood.check().await
}

#[handler(order = none, retry(attempts = 3), timeout = "5s")]
async fn tick(message: Move, mood: &Mood) -> Result<Tick> {
    yield_often(message.yields % 7).await;
    mood.check().await?;
    Ok(Tick { account: message.account, number: message.number })
}

#[handler(retry(attempts = 3, min = "50ms", max = "2s"), timeout = "5s")]
async fn sum(message: Moved, sums: &mut Sums, mood: &Mood) -> Result<()> {
    sums.lengths.push(message.numbers.len());
    mood.check().await
}

#[handler]
async fn ticked(message: Tick, ticks: &mut Ticks) {
    ticks.numbers.push(message.number);
}

/// How often calls of handlers fail, and in which ways; a seed decides.
#[derive(Clone, Default)]
pub(crate) struct Mood(Arc<Mutex<(u64, Option<Dice>)>>);

impl Mood {
    pub(crate) fn seeded(seed: u64) -> Self {
        Mood(Arc::new(Mutex::new((0, Some(Dice::new(!seed))))))
    }

    /// So many calls of a hundred fail from here on.
    pub(crate) fn trouble(&self, percent: u64) {
        self.0.lock().unwrap().0 = percent;
    }

    fn roll(&self) -> Option<u64> {
        let (percent, dice) = &mut *self.0.lock().unwrap();
        let dice = dice.as_mut()?;
        (dice.roll(100) < *percent).then(|| dice.roll(6))
    }

    async fn check(&self) -> Result<()> {
        match self.roll() {
            None => Ok(()),
            Some(0) => Err(HandlerError::permanent("injected, for good")),
            Some(1) => panic!("injected panic"),
            Some(2) => std::future::pending().await,
            Some(_) => Err("injected failure of a handler".into()),
        }
    }
}

pub(crate) fn app() -> App {
    App::new("ledger")
        .layer(Trace::new())
        .provide(Mood::default())
        .handlers(handlers![book, copy, tick, sum, ticked])
}

/// Checks that exactly these moves (account and number) took effect, in this order.
pub(crate) async fn check(app: &TestApp, moves: &[(u64, u64)]) -> anyhow::Result<()> {
    let mut accounts: Vec<u64> = moves.iter().map(|(account, _)| *account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    for account in accounts {
        let sent: Vec<u64> = moves.iter().filter(|m| m.0 == account).map(|m| m.1).collect();
        let key = account.to_string();
        let numbers = app.state::<Book>(&key).await?.unwrap_or_default().numbers;
        assert_eq!(numbers, sent, "the book of account {account}");
        let numbers = app.state::<Copy>(&key).await?.unwrap_or_default().numbers;
        assert_eq!(numbers, sent, "the copy of account {account}");
        let lengths = app.state::<Sums>(&key).await?.unwrap_or_default().lengths;
        assert!(lengths.iter().copied().eq(1..=sent.len()), "account {account}: {lengths:?}");
        let mut numbers = app.state::<Ticks>(&key).await?.unwrap_or_default().numbers;
        numbers.sort_unstable();
        assert_eq!(numbers, sent, "the ticks of account {account}");
    }
    Ok(())
}
