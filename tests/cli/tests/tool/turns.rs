//! The tool beside a service that starts or stops: neither keeps the other from its work.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::{Notify, watch};

use crate::service::{Bank, tool};

/// Hears a log line that has all of these parts.
struct Ear {
    parts: Arc<[String]>,
    heard: Arc<Notify>,
}

impl io::Write for Ear {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        if self.parts.iter().all(|part| text.contains(part.as_str())) {
            self.heard.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Listens to this process's log, for one test.
fn listen<const N: usize>(parts: [String; N]) -> Arc<Notify> {
    let (parts, heard) = (Arc::from(parts), Arc::new(Notify::new()));
    let ear = {
        let heard = heard.clone();
        move || Ear { parts: Arc::clone(&parts), heard: heard.clone() }
    };
    tracing_subscriber::fmt().with_ansi(false).with_writer(ear).init();
    heard
}

/// Has a directory open, as the tool has it while it reads, and a service while it runs.
fn hold(dir: &Path) -> anyhow::Result<File> {
    let held = File::open(dir)?;
    held.lock()?;
    Ok(held)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_waits_for_who_has_the_directory_open() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    Bank::start(home.path()).await?.stop().await?;
    let dir = home.path().join("bank");
    let says = "waiting for a directory that is in use";
    let waits = listen([says.to_owned(), dir.display().to_string()]);
    let held = hold(&dir)?;
    let mut start = std::pin::pin!(Bank::start(home.path()));
    tokio::select! {
        () = waits.notified() => {}
        ended = &mut start => panic!("it did not wait: {:?}", ended.err()),
    }
    held.unlock()?;
    start.await?.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tool_waits_for_who_is_starting_or_stopping() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let mut bank = Bank::start(home.path()).await?;
    bank.deposit(&[("ada", 1)]).await?;
    bank.stop().await?;
    for (verb, part) in [("status", "bank"), ("topics", "broker")] {
        let held = hold(&home.path().join(part))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_endwise-test-cli"));
        command.arg(verb).arg(home.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut said = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut line = String::new();
        said.read_line(&mut line).await?;
        let by = format!("{part} is in use by process {} (", std::process::id());
        assert!(line.contains(&by) && line.contains("waiting up to"), "{line}");
        held.unlock()?;
        let output = child.wait_with_output().await?;
        line.clear();
        said.read_to_string(&mut line).await?;
        assert!(output.status.success(), "{verb}: {line}");
        assert!(String::from_utf8(output.stdout)?.contains(&format!("{part}: ")), "{verb}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_start_is_refused_beside_questions() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let mut bank = Bank::start(home.path()).await?;
    bank.deposit(&[("ada", 1)]).await?;
    bank.stop().await?;
    let (path, (asked, mut answers)) = (home.path().to_owned(), watch::channel(0));
    let asking = tokio::spawn(async move {
        let mut answered = 0;
        while !asked.is_closed() {
            for verb in ["status", "topics"] {
                let said = tool(&[verb], &path, &[]).await?;
                // One that ends cuts off who is connected; one that starts may take its time.
                let is_told =
                    ["hung up", "ended before it answered", "is stopping", "starting or stopping"];
                let is_told = is_told.iter().any(|part| said.err.contains(part));
                assert!(said.code == 0 || is_told, "{said:?}");
                answered += usize::from(said.code == 0);
                asked.send_modify(|asked| *asked += 1);
            }
        }
        anyhow::Ok(answered)
    });
    for round in 0..6 {
        let bank = Bank::start(home.path()).await?;
        // Of the first of these, it is not known whether it was asked before the start.
        let before = *answers.borrow();
        answers.wait_for(|&asked| asked >= before + 2).await?;
        // Dropped, it ends as well, while the next one starts.
        if round % 2 == 0 { bank.stop().await? } else { drop(bank) }
    }
    drop(answers);
    let answered = asking.await??;
    assert!(answered >= 6, "{answered}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_answer_is_named_soon() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let bank = Bank::start(home.path()).await?;
    let dir = home.path().join("bank");
    // Nobody answers there, as in a process that is stopped.
    std::fs::remove_file(dir.join("admin"))?;
    let silent = std::os::unix::net::UnixListener::bind(dir.join("admin"))?;
    let status = tool(&["status"], home.path(), &[]).await?;
    assert_eq!(status.code, 1, "{status:?}");
    let mut lines = status.err.lines();
    assert_eq!(lines.next(), Some("no answer yet; waiting up to 8 s more"), "{status:?}");
    let end = format!("has the directory {} open and does not answer", dir.display());
    let said = lines.next().unwrap_or_default();
    let process = format!("error: process {} (", std::process::id());
    assert!(said.starts_with(&process) && said.contains(&end), "{status:?}");
    drop(silent);
    bank.stop().await
}
