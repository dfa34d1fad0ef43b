use std::sync::{Arc, Mutex};
use std::time::Duration;

use framework::broker::memory::MemoryBroker;
use framework::dead_letters::{Filter, WaitsFor};
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;
use tokio::time::Instant;

use crate::bank::{Deposit, deposit_of};
use crate::support::{Gate, Trail, in_time, pass, until};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// How the clock is set while something waits.
const SETTINGS: [fn(&TestApp); 4] = [
    |app| app.set_clock_back(HOUR),
    |app| app.set_clock_forward(HOUR),
    |app| app.set_clock_back(10_000 * HOUR),
    |app| app.set_clock_forward(10_000 * HOUR),
];

/// When each delivery was handled, and of what amount.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<(i64, Instant)>>>);

impl Calls {
    fn note(&self, cents: i64) -> usize {
        let mut calls = self.0.lock().unwrap();
        calls.push((cents, Instant::now()));
        calls.iter().filter(|(other, _)| *other == cents).count()
    }

    /// How long after `start` the last of these was.
    fn last(&self, cents: i64, start: Instant) -> Option<Duration> {
        let calls = self.0.lock().unwrap();
        let last = calls.iter().rfind(|(other, _)| *other == cents);
        last.map(|(_, at)| at.duration_since(start))
    }
}

#[handler(retry(attempts = 3, min = "2s", max = "2s"))]
async fn fails_once(cmd: Deposit, calls: &Calls) -> Result<()> {
    if calls.note(cmd.cents) == 1 { Err("the bank is busy".into()) } else { Ok(()) }
}

#[handler(gap = skip("30s"))]
async fn refuses_13(cmd: Deposit, calls: &Calls) -> Result<()> {
    calls.note(cmd.cents);
    if cmd.cents == 13 {
        Err("thirteen").permanent()?;
    }
    Ok(())
}

fn retries(calls: &Calls) -> App {
    App::new("bank").provide(calls.clone()).handlers(handlers![fails_once])
}

fn skips(calls: &Calls) -> App {
    App::new("bank").provide(calls.clone()).handlers(handlers![refuses_13])
}

#[tokio::test(start_paused = true)]
async fn a_further_attempt_is_made_after_its_wait() -> anyhow::Result<()> {
    for set in SETTINGS {
        let (calls, start) = (Calls::default(), Instant::now());
        let mut bank = TestApp::start(retries(&calls)).await?;
        bank.publish(deposit_of("a", 1)).await?;
        pass(SECOND / 2).await;
        set(&bank);
        in_time(bank.settle()).await?;
        assert_eq!(calls.last(1, start), Some(2 * SECOND));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_key_goes_on_without_its_dead_letter_in_time() -> anyhow::Result<()> {
    for set in SETTINGS {
        let (calls, start) = (Calls::default(), Instant::now());
        let mut bank = TestApp::start(skips(&calls)).await?;
        bank.publish(deposit_of("a", 13)).await?;
        bank.publish(deposit_of("a", 1)).await?;
        pass(SECOND).await;
        set(&bank);
        pass(28 * SECOND).await;
        assert_eq!(calls.last(1, start), None, "not before");
        // What is due at that very moment may come behind it.
        bank.advance(SECOND + Duration::from_millis(1)).await?;
        assert_eq!(calls.last(1, start), Some(30 * SECOND));
    }
    Ok(())
}

/// What an hour's wait, or more, at the next start would be.
#[tokio::test(start_paused = true)]
async fn over_a_restart_a_wait_is_at_most_as_long_as_its_policy_says() -> anyhow::Result<()> {
    for set in SETTINGS {
        let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
        let (calls, start) = (Calls::default(), Instant::now());
        let bank = TestApp::start_on(retries(&calls), broker.clone(), store.clone()).await?;
        bank.publish(deposit_of("a", 1)).await?;
        pass(SECOND).await;
        set(&bank);
        bank.stop().await?;
        let mut bank = TestApp::start_on(retries(&calls), broker, store).await?;
        in_time(bank.settle()).await?;
        let last = calls.last(1, start).unwrap();
        assert!(last <= 3 * SECOND, "after {last:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn over_a_restart_a_gap_is_at_most_as_long_as_it_was() -> anyhow::Result<()> {
    for set in SETTINGS {
        let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
        let (calls, start) = (Calls::default(), Instant::now());
        let bank = TestApp::start_on(skips(&calls), broker.clone(), store.clone()).await?;
        bank.publish(deposit_of("a", 13)).await?;
        bank.publish(deposit_of("a", 1)).await?;
        pass(SECOND).await;
        set(&bank);
        bank.stop().await?;
        let mut bank = TestApp::start_on(skips(&calls), broker, store).await?;
        bank.advance(30 * SECOND + Duration::from_millis(1)).await?;
        let last = calls.last(1, start);
        assert!(last.is_some_and(|last| last <= 31 * SECOND), "after {last:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_told_of_a_wait_is_what_is_left_of_it() -> anyhow::Result<()> {
    let calls = Calls::default();
    let bank = TestApp::start(retries(&calls)).await?;
    for _ in 0..2 {
        bank.publish(deposit_of("a", 1)).await?;
    }
    pass(SECOND / 2).await;
    bank.set_clock_back(HOUR);
    let status = bank.service().status().await?;
    for hold in bank.dead_letters().holds(None, 10).await?.items {
        let (WaitsFor::Attempt { at_ms } | WaitsFor::Retry { at_ms, .. }) = hold.waits_for else {
            panic!("{hold:?}")
        };
        let left = at_ms - status.at_ms;
        assert!(left <= 2_000, "{left} ms");
    }

    let bank = TestApp::start(skips(&calls)).await?;
    bank.publish(deposit_of("a", 13)).await?;
    pass(SECOND).await;
    bank.set_clock_back(HOUR);
    let status = bank.service().status().await?;
    let letter = bank.dead_letters().list(&Filter::new()).await?.items.remove(0);
    let left = letter.skip_ms.unwrap() - status.at_ms;
    assert!(left <= 30_000, "{left} ms");
    Ok(())
}

#[handler]
async fn held(_: Deposit, gate: &Gate) {
    gate.pass("held").await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_takes_no_longer_than_its_drain() -> anyhow::Result<()> {
    for set in SETTINGS {
        let (gate, broker) = (Gate::shut(), MemoryBroker::default());
        let app = App::new("bank").provide(gate.clone()).handlers(handlers![held]);
        let bank = TestApp::start_on(app, broker.clone(), MemoryStore::new(1)).await?;
        bank.publish(deposit_of("a", 1)).await?;
        gate.filled(1).await;
        // Another app on the broker has the same clock.
        let other = TestApp::start_on(App::new("other"), broker, MemoryStore::new(2)).await?;
        let start = Instant::now();
        let setting = async {
            pass(SECOND).await;
            set(&other);
        };
        let (stopped, ()) = in_time(futures::future::join(bank.stop(), setting)).await;
        stopped?;
        assert_eq!(start.elapsed(), 30 * SECOND);
    }
    Ok(())
}

/// Those behind a slow handler are held in the store once it has taken a second.
#[tokio::test(start_paused = true)]
async fn a_slow_handler_is_noticed_as_soon() -> anyhow::Result<()> {
    let limits = framework::Limits { followers_max: 1, in_flight_max: 4, ..Default::default() };
    let gate = Gate::shut();
    let app = App::new("bank").provide(gate.clone()).handlers(handlers![held]);
    let bank = TestApp::start_within(app, limits).await?;
    for cents in 0..4 {
        bank.publish(deposit_of("a", cents)).await?;
    }
    gate.filled(1).await;
    bank.set_clock_back(HOUR);
    pass(3 * SECOND).await;
    assert!(bank.service().status().await?.kept.held > 0);
    gate.open();
    Ok(())
}

/// What is held has an age, which does not begin anew with a clock that was set back.
#[tokio::test(start_paused = true)]
async fn what_is_held_for_too_long_is_noticed_as_soon() -> anyhow::Result<()> {
    let (trail, _guard) = Trail::record();
    let limits = framework::Limits { holds_age_max: HOUR, followers_max: 0, ..Default::default() };
    let calls = Calls::default();
    let app = App::new("bank").handlers(handlers![crate::bank::deposit]);
    let mut bank = TestApp::start_within(app.provide(calls), limits).await?;
    bank.publish(deposit_of("a", -1)).await?;
    bank.publish(deposit_of("a", 1)).await?;
    in_time(bank.settle()).await?;
    bank.set_clock_back(10 * HOUR);
    pass(HOUR + SECOND).await;
    until(|| trail.text().contains("is held for so long")).await;
    Ok(())
}
