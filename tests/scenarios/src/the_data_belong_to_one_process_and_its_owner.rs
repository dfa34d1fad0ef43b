use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use framework::{IntakeError, RunError, Running};

use crate::bank::{Account, app, deposit_of};
use crate::support::in_time;

/// A directory with all that is in it.
fn all(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![dir.to_owned()];
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(all(&path)) } else { found.push(path) }
    }
    found
}

async fn start(dir: &Path) -> Result<Running, RunError> {
    Running::start(dir, [app()]).await
}

async fn deposit(running: &Running, cents: i64) -> Result<(), IntakeError> {
    running.service("bank").unwrap().producer().send(deposit_of("a", cents)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_may_read_or_write_them() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let dir = home.path().join("data");
    let is_private = || {
        for path in all(&dir) {
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{} is {mode:o}", path.display());
        }
    };
    for cents in 0..2 {
        let running = start(&dir).await?;
        deposit(&running, cents).await?;
        running.settle().await?;
        is_private();
        running.stop().await?;
        is_private();
        // As an earlier version, or a restored backup, may have left them.
        for path in all(&dir).iter().filter(|path| **path != dir) {
            let mode = if path.is_dir() { 0o755 } else { 0o644 };
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_refused_whatever_files_are_removed() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let running = start(home.path()).await?;
    deposit(&running, 1).await?;
    // Nothing is left to commit: that would notice what follows, and end the service.
    running.settle().await?;
    for part in ["bank", "broker"] {
        std::fs::remove_file(home.path().join(part).join("FORMAT"))?;
    }
    let is_in_use = async |part: &str| {
        let error = start(home.path()).await.unwrap_err().to_string();
        assert!(error.contains("in use by this process"), "{error}");
        assert!(error.contains(&*home.path().join(part).to_string_lossy()), "{error}");
    };
    is_in_use("broker").await;
    // What says which directories belong together may be of any time while they are in use.
    let fit = home.path().join("bank/fit");
    let slip = std::fs::read(&fit)?;
    std::fs::write(&fit, "half of")?;
    is_in_use("broker").await;
    std::fs::write(&fit, slip)?;
    std::fs::rename(home.path().join("broker"), home.path().join("away"))?;
    is_in_use("bank").await;
    std::fs::rename(home.path().join("away"), home.path().join("broker"))?;
    let error = in_time(running.stop()).await.unwrap_err().to_string();
    assert!(error.contains("FORMAT was removed or replaced"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_moved_data_writes_nothing_into_what_is_in_their_place() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let (dir, away) = (home.path().join("data"), home.path().join("away"));
    let first = start(&dir).await?;
    deposit(&first, 1).await?;
    first.settle().await?;
    std::fs::rename(&dir, &away)?;
    let second = start(&dir).await?;
    deposit(&second, 2).await?;
    deposit(&first, 3).await.unwrap_err();
    let error = in_time(first.ended()).await.unwrap_err().to_string();
    assert!(error.contains("FORMAT was removed or replaced"), "{error}");
    drop(first);
    second.settle().await?;
    second.stop().await?;
    for (dir, history) in [(&dir, 2), (&away, 1)] {
        let running = start(dir).await?;
        let account = running.service("bank").unwrap().state::<Account>("a").await?;
        assert_eq!(account.unwrap().history, [history], "{}", dir.display());
        running.stop().await?;
    }
    Ok(())
}
