//! A service of which one message kills the process, in the way that the second argument names.
//! The first argument is the directory of its data.

use anyhow::Context;
use framework::Running;
use futures::stream;

use endwise_test_killers::{MESSAGES, app};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().context("which directory?")?;
    let way = arguments.next().context("which way to die?")?;
    let mut running = Running::start(directory, [app(&way)]).await?;
    let producer = running.service("victim").context("it was started")?.producer();
    let next = producer.sent_from("test").await?;
    let messages = (next..MESSAGES).map(|n| (n, endwise_test_killers::Task::of(n)));
    producer.send_all_from("test", stream::iter(messages)).await?;
    running.settle().await?;
    running.stop().await?;
    Ok(())
}
