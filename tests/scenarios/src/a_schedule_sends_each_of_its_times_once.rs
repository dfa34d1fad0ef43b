use std::time::Duration;

use framework::StartError;
use framework::broker::memory::MemoryBroker;
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;

const MINUTE: Duration = Duration::from_secs(60);

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
