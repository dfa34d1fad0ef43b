//! The same with the framework.

use std::time::{Duration, Instant};

use framework::Running;
use framework::prelude::*;
use futures::stream;

use super::MESSAGES;
use crate::{Counted, body};

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "totals", key = key)]
struct Total {
    key: String,
    count: u64,
    text: String,
}

#[derive(State, Default, Serialize, Deserialize)]
#[state(name = "count")]
struct Count {
    count: u64,
}

#[handler]
async fn count(message: Counted, count: &mut Count) -> Total {
    count.count += 1;
    Total { key: message.key, count: count.count, text: message.text }
}

/// Runs all messages through a service; how long it took from the first sent to the last handled.
pub(crate) async fn run() -> anyhow::Result<Duration> {
    let home = tempfile::tempdir()?;
    let app = App::new("counter").handlers(handlers![count]);
    let running = Running::start(home.path(), [app]).await?;
    let started = Instant::now();
    let producer = running.services().first().map(|service| service.producer());
    let producer = producer.ok_or_else(|| anyhow::anyhow!("the service does not run"))?;
    let messages = stream::iter((0..MESSAGES).map(|number| (number, body(number))));
    producer.send_all_from("bench", messages).await?;
    running.settle().await?;
    let took = started.elapsed();
    let handled = running.services().iter().flat_map(|service| service.counts().handled());
    anyhow::ensure!(
        handled.map(|(_, count)| count).sum::<u64>() == MESSAGES,
        "messages are missing"
    );
    running.stop().await?;
    Ok(took)
}
