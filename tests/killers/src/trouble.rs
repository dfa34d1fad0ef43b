//! A service in which much goes wrong, at random, and nothing for ever.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use framework::prelude::*;

use crate::{Done, Task};

/// A number below `below`, another one each time: the process itself is killed at random.
fn roll(below: u64) -> u64 {
    RandomState::new().hash_one(below) % below
}

/// What goes wrong with one of four attempts.
async fn trouble() -> framework::Result<()> {
    match roll(24) {
        0 => Err(HandlerError::permanent("this time for good")),
        1 => std::future::pending().await,
        2..6 => Err("not this time".into()),
        _ => Ok(()),
    }
}

/// Handles a message, sooner or later.
#[handler(name = "work", retry(attempts = 2, min = "1ms", max = "20ms"), timeout = "30ms")]
async fn toil(task: Task, done: &mut Done) -> framework::Result<Checked> {
    done.numbers.push(task.n);
    trouble().await?;
    Ok(Checked { key: task.key, count: done.numbers.len() })
}

/// What follows from each message.
#[derive(Message, Serialize, Deserialize)]
#[message(topic = "checked", key = key)]
struct Checked {
    key: String,
    count: usize,
}

/// What followed, in order.
#[derive(Clone, Debug, Default, State, Serialize, Deserialize)]
pub struct Counts {
    /// How many messages were handled, each time.
    pub counts: Vec<usize>,
}

#[handler(retry(attempts = 2, min = "1ms", max = "20ms"), timeout = "30ms")]
async fn count(checked: Checked, counts: &mut Counts) -> framework::Result<()> {
    counts.counts.push(checked.count);
    trouble().await
}

/// The service.
pub fn app() -> App {
    App::new("victim").timeout(Duration::from_secs(1)).handlers(handlers![toil, count])
}
