//! A service of which one message kills the process, in the way that the second argument names,
//! or, with `trouble`, one in which much goes wrong. The first argument is the directory of its
//! data. It ends when all is handled, or at SIGTERM.

use anyhow::Context;
use endwise_test_killers::{MESSAGES, Task, app, trouble};
use framework::Running;
use framework::dead_letters::Filter;
use futures::stream;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().context("which directory?")?;
    let way = arguments.next().context("which way to die?")?;
    let is_trouble = way == "trouble";
    let app = if is_trouble { trouble::app() } else { app(&way) };
    let running = Running::start(directory, [app]).await?;
    let ended = tokio::select! {
        ended = work(&running, is_trouble) => ended,
        _ = terminate.recv() => Err(anyhow::anyhow!("it was told to stop")),
    };
    running.stop().await?;
    ended
}

/// Sends what was not sent, and waits until all is handled; in trouble, however often it takes.
async fn work(running: &Running, is_trouble: bool) -> anyhow::Result<()> {
    let service = running.service("victim").context("it was started")?;
    let (producer, letters) = (service.producer(), service.dead_letters());
    let next = producer.sent_from("test").await?;
    let messages = (next..MESSAGES).map(|n| (n, Task::of(n)));
    producer.send_all_from("test", stream::iter(messages)).await?;
    loop {
        running.settle().await?;
        if !is_trouble || letters.replay(Filter::new()).await?.done.is_empty() {
            return Ok(());
        }
    }
}
