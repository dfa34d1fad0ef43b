//! After at most four restarts, and none beside it is charged.
#![cfg(test)]

use std::path::Path;
use std::process::{Command, Stdio};

use endwise_test_killers::{Done, KILLER, MESSAGES, Task, app};
use framework::dead_letters::Filter;
use framework::{How, Running};

#[tokio::test(flavor = "multi_thread")]
async fn by_aborting() -> anyhow::Result<()> {
    dies_of_one("abort").await
}

#[tokio::test(flavor = "multi_thread")]
async fn by_overflowing_its_stack() -> anyhow::Result<()> {
    dies_of_one("overflow").await
}

#[tokio::test(flavor = "multi_thread")]
async fn by_being_killed_as_for_memory() -> anyhow::Result<()> {
    dies_of_one("kill").await
}

/// Whether it ended well, and what it logged.
fn run(directory: &Path, way: &str) -> anyhow::Result<(bool, String)> {
    let mut service = Command::new(env!("CARGO_BIN_EXE_endwise-test-killers"));
    let output = service.arg(directory).arg(way).stdin(Stdio::null()).stdout(Stdio::null());
    let output = output.stderr(Stdio::piped()).output()?;
    Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

async fn dies_of_one(way: &str) -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let (mut deaths, mut said) = (0, String::new());
    loop {
        let (is_well, log) = run(home.path(), way)?;
        said.push_str(&log);
        if is_well {
            break;
        }
        deaths += 1;
        assert!(deaths <= 4, "it dies again and again");
    }
    assert!((3..=4).contains(&deaths), "it died {deaths} times");
    for charged in 1..=2 {
        let key = Task::of(KILLER).key;
        let named = format!("handler \"work\" ran alone for key {key:?} ({charged} of 3): it runs");
        assert!(said.contains(&named), "{said}");
    }

    // What it left, seen by a process that does not die of it: the cause is mended.
    let running = Running::start(home.path(), [app("not at all")]).await?;
    let service = running.service("victim").expect("it was started");
    let letters = service.dead_letters();
    let dead = letters.list(&Filter::new()).await?.items;
    let [killer] = dead.as_slice() else { panic!("{dead:?}") };
    assert_eq!((killer.how, killer.attempts), (Some(How::Killed), 1), "{killer:?}");
    assert_eq!(killer.error, "killed the process 3 times while it ran alone");
    assert_eq!(killer.key, Some(Task::of(KILLER).key.into()));
    letters.replay(Filter::new()).await?;
    running.settle().await?;

    let service = running.service("victim").expect("it was started");
    for key in 0..50 {
        let done: Done = service.state(&format!("key-{key}")).await?.unwrap_or_default();
        let all = (0..MESSAGES).filter(|n| n % 50 == key);
        assert!(done.numbers.iter().copied().eq(all), "key {key}: {:?}", done.numbers);
    }
    running.stop().await?;
    Ok(())
}
