//! Killed while its deliveries fail, wait, are held and replayed, and while it stops.
#![cfg(test)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use endwise_test_killers::trouble::{self, Counts};
use endwise_test_killers::{Done, MESSAGES};
use framework::Running;

/// How often it is killed, unless it ends before.
const KILLS: usize = 30;

fn start(directory: &Path) -> anyhow::Result<Child> {
    let mut service = Command::new(env!("CARGO_BIN_EXE_endwise-test-killers"));
    let service = service.arg(directory).arg("trouble").stdin(Stdio::null());
    Ok(service.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}

/// Waits so long for its end; whether it has ended, and well.
fn wait(child: &mut Child, time: Duration) -> anyhow::Result<Option<bool>> {
    let until = Instant::now() + time;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.success()));
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

fn signal(child: &Child, name: &str) -> anyhow::Result<()> {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status()?;
    anyhow::ensure!(status.success(), "kill {name}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_order_of_every_key() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let mut random = fastrand::Rng::new();
    let mut is_done = false;
    for kill in 0..KILLS {
        let mut child = start(home.path())?;
        let time = Duration::from_millis(random.u64(30..600));
        if let Some(ended) = wait(&mut child, time)? {
            is_done = ended;
            break;
        }
        // One time in three it is told to stop, and killed while it does, or not.
        if kill % 3 == 0 {
            signal(&child, "-TERM")?;
            let _ = wait(&mut child, Duration::from_millis(random.u64(1..40)))?;
        }
        // An error says that it has ended.
        let _ = child.kill();
        child.wait()?;
    }
    if !is_done {
        assert!(start(home.path())?.wait()?.success(), "left alone, it ends");
    }

    let running = Running::start(home.path(), [trouble::app()]).await?;
    let service = running.service("victim").expect("it was started");
    for key in 0..50 {
        let name = format!("key-{key}");
        let done: Done = service.state(&name).await?.unwrap_or_default();
        let all = (0..MESSAGES).filter(|n| n % 50 == key);
        assert!(done.numbers.iter().copied().eq(all), "{name}: {:?}", done.numbers);
        let counts: Counts = service.state(&name).await?.unwrap_or_default();
        assert!(counts.counts.iter().copied().eq(1..=done.numbers.len()), "{name}: {counts:?}");
    }
    let kept = service.status().await?.kept;
    assert_eq!((kept.held, kept.waiting, kept.dead), (0, 0, 0));
    running.stop().await?;
    Ok(())
}
