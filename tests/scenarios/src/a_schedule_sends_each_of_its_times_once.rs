use std::time::Duration;

use framework::StartError;
use framework::broker::memory::MemoryBroker;
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;

use crate::support::Trail;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Message, Serialize, Deserialize)]
#[message(key = branch)]
struct CloseBooks {
    branch: u32,
}

#[derive(State, Default, Serialize, Deserialize)]
struct Closed {
    times: u64,
}

#[handler]
fn close(_: CloseBooks, closed: &mut Closed) {
    closed.times += 1;
}

/// An app that closes the books of branch 1 each five minutes, and does no more.
fn app(catch_up: CatchUp) -> App {
    let schedule = Schedule::new("close", "*/5 * * * *", CloseBooks { branch: 1 });
    App::new("bank").schedule(schedule.catch_up(catch_up)).handlers(handlers![close])
}

/// How often they were closed.
async fn times(bank: &TestApp) -> anyhow::Result<u64> {
    Ok(bank.state::<Closed>("1").await?.map_or(0, |closed| closed.times))
}

#[tokio::test(start_paused = true)]
async fn at_its_times_and_not_before() -> anyhow::Result<()> {
    let mut bank = TestApp::start(app(CatchUp::Last)).await?;
    bank.settle().await?;
    assert_eq!(times(&bank).await?, 0, "not for the time at which it is first started");
    bank.advance(5 * MINUTE - Duration::from_millis(1)).await?;
    assert_eq!(times(&bank).await?, 0);
    bank.advance(Duration::from_millis(1)).await?;
    assert_eq!(times(&bank).await?, 1);
    bank.advance(60 * MINUTE).await?;
    assert_eq!(times(&bank).await?, 13);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn once_also_across_restarts_and_crashes() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
    for round in 0..10 {
        let start = TestApp::start_on(app(CatchUp::All), broker.clone(), store.clone());
        let mut bank = start.await?;
        bank.settle().await?;
        assert_eq!(times(&bank).await?, round);
        bank.advance(5 * MINUTE).await?;
        assert_eq!(times(&bank).await?, round + 1);
        if round % 2 == 0 {
            bank.stop().await?;
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn missed_times_are_made_up_for_as_it_says() -> anyhow::Result<()> {
    for (catch_up, made_up) in [(CatchUp::All, 12), (CatchUp::Last, 1), (CatchUp::None, 0)] {
        let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
        let mut bank = TestApp::start_on(app(catch_up), broker.clone(), store.clone()).await?;
        bank.advance(11 * MINUTE).await?;
        assert_eq!(times(&bank).await?, 2);
        bank.stop().await?;
        // Nobody is there for an hour.
        tokio::time::advance(60 * MINUTE).await;
        let mut bank = TestApp::start_on(app(catch_up), broker, store).await?;
        bank.settle().await?;
        assert_eq!(times(&bank).await?, 2 + made_up, "{catch_up:?}");
        bank.advance(5 * MINUTE).await?;
        assert_eq!(times(&bank).await?, 3 + made_up, "{catch_up:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_of_another_name_begins_anew() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
    let bank = TestApp::start_on(app(CatchUp::All), broker.clone(), store.clone()).await?;
    bank.stop().await?;
    tokio::time::advance(60 * MINUTE).await;
    let anew = App::new("bank")
        .every("*/5 * * * *", CloseBooks { branch: 1 })
        .schedule(Schedule::new("north", "*/10 * * * *", CloseBooks { branch: 1 }))
        .handlers(handlers![close]);
    let mut bank = TestApp::start_on(anew, broker, store).await?;
    bank.settle().await?;
    assert_eq!(times(&bank).await?, 0);
    bank.advance(10 * MINUTE).await?;
    assert_eq!(times(&bank).await?, 3);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_kept_is_refused_at_the_start() -> anyhow::Result<()> {
    let every = |cron: &str| App::new("bank").every(cron, CloseBooks { branch: 1 });
    for (app, says) in [
        (
            every("0 25 * * *"),
            "the schedule \"CloseBooks\" cannot be kept: in \"0 25 * * *\", the hour cannot be \"25\"",
        ),
        (every("0 3 * *"), "has 4 fields"),
        (every("0 0 31 2 *"), "never comes"),
        (
            every("0 3 * * *").every("0 4 * * *", CloseBooks { branch: 2 }),
            "two schedules are named \"CloseBooks\"",
        ),
    ] {
        let error = TestApp::start(app).await.unwrap_err();
        let RunError::Start(error @ (StartError::Schedule { .. } | StartError::SameSchedule(_))) =
            error
        else {
            panic!("{error}");
        };
        assert!(error.to_string().contains(says), "{error}");
    }
    Ok(())
}

/// An app with one schedule of that expression.
fn app_of(cron: &'static str, catch_up: CatchUp) -> App {
    let schedule = Schedule::new("close", cron, CloseBooks { branch: 1 });
    App::new("bank").schedule(schedule.catch_up(catch_up)).handlers(handlers![close])
}

const ALL: [CatchUp; 3] = [CatchUp::All, CatchUp::Last, CatchUp::None];

#[tokio::test(start_paused = true)]
async fn another_expression_counts_from_its_first_start() -> anyhow::Result<()> {
    for catch_up in ALL {
        let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
        let start = |cron| TestApp::start_on(app_of(cron, catch_up), broker.clone(), store.clone());
        let mut bank = start("0 3 * * *").await?;
        bank.advance(15 * HOUR).await?;
        assert_eq!(times(&bank).await?, 1);
        bank.stop().await?;
        let mut bank = start("0 4 * * *").await?;
        bank.settle().await?;
        assert_eq!(times(&bank).await?, 1, "none was missed");
        bank.advance(13 * HOUR - MINUTE).await?;
        assert_eq!(times(&bank).await?, 1);
        bank.advance(MINUTE).await?;
        assert_eq!(times(&bank).await?, 2, "at 04:00");
        bank.stop().await?;
        // Back to the first one, which nobody has kept up meanwhile.
        let mut bank = start("0 3 * * *").await?;
        bank.settle().await?;
        assert_eq!(times(&bank).await?, 2);
        bank.stop().await?;
        let mut bank = start("* * * * *").await?;
        bank.settle().await?;
        assert_eq!(times(&bank).await?, 2, "from once a day to each minute");
        bank.advance(MINUTE).await?;
        assert_eq!(times(&bank).await?, 3);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn another_message_or_another_spacing_changes_no_time() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
    let app = app_of("0 3 * * *", CatchUp::Last);
    let mut bank = TestApp::start_on(app, broker.clone(), store.clone()).await?;
    bank.settle().await?;
    bank.stop().await?;
    tokio::time::advance(4 * HOUR).await;
    let schedule = Schedule::new("close", "0  3 * *  *", CloseBooks { branch: 2 });
    let other = App::new("bank").schedule(schedule).handlers(handlers![close]);
    let mut bank = TestApp::start_on(other, broker, store).await?;
    bank.settle().await?;
    let closed: Option<Closed> = bank.state("2").await?;
    assert_eq!(closed.map(|closed| closed.times), Some(1), "the time that was missed");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_that_was_gone_begins_anew_when_it_comes_back() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
    let start = |app| TestApp::start_on(app, broker.clone(), store.clone());
    let mut bank = start(app(CatchUp::All)).await?;
    bank.settle().await?;
    bank.stop().await?;
    let mut without = start(App::new("bank").handlers(handlers![close])).await?;
    without.advance(HOUR).await?;
    without.stop().await?;
    let mut bank = start(app(CatchUp::All)).await?;
    bank.settle().await?;
    assert_eq!(times(&bank).await?, 0, "its times without it were not missed");
    Ok(())
}

/// How long its times may be passed over once the clock is right.
#[tokio::test(start_paused = true)]
async fn a_clock_that_was_ahead_silences_none() -> anyhow::Result<()> {
    for catch_up in ALL {
        let (trail, _guard) = Trail::record();
        let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
        let start = || TestApp::start_on(app(catch_up), broker.clone(), store.clone());
        let mut bank = start().await?;
        bank.set_clock_forward(1_000 * HOUR);
        bank.advance(6 * MINUTE).await?;
        let ahead = times(&bank).await?;
        assert!(ahead > 0);
        bank.set_clock_back(1_000 * HOUR);
        bank.advance(MINUTE).await?;
        let said = || trail.text().matches("the clock was ahead by so much").count();
        assert_eq!(said(), 1, "{}", trail.text());
        bank.advance(10 * MINUTE).await?;
        assert_eq!(times(&bank).await?, ahead + 2, "it goes on");

        // And when it is put right while the service does not run.
        bank.set_clock_forward(1_000 * HOUR);
        bank.advance(6 * MINUTE).await?;
        let ahead = times(&bank).await?;
        bank.set_clock_back(1_000 * HOUR);
        bank.stop().await?;
        let mut bank = start().await?;
        bank.advance(10 * MINUTE).await?;
        assert_eq!(said(), 2);
        assert_eq!(times(&bank).await?, ahead + 2);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_put_right_by_little_repeats_none() -> anyhow::Result<()> {
    let mut bank = TestApp::start(app(CatchUp::Last)).await?;
    bank.advance(5 * MINUTE).await?;
    assert_eq!(times(&bank).await?, 1);
    bank.set_clock_back(MINUTE / 2);
    bank.advance(2 * MINUTE).await?;
    assert_eq!(times(&bank).await?, 1);
    bank.advance(4 * MINUTE).await?;
    assert_eq!(times(&bank).await?, 2);
    Ok(())
}
