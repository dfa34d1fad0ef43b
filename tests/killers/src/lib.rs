//! The service whose process dies.

use framework::prelude::*;

pub mod trouble;

/// How many messages there are.
pub const MESSAGES: u64 = 2_000;

/// Which of them kills the process.
pub const KILLER: u64 = 1_234;

/// How many keys they have.
const KEYS: u64 = 50;

/// One of them.
#[derive(Clone, Debug, Message, Serialize, Deserialize)]
#[message(topic = "tasks", key = key)]
pub struct Task {
    /// What it is about.
    pub key: String,
    /// Which it is.
    pub n: u64,
}

impl Task {
    /// The `n`th.
    pub fn of(n: u64) -> Self {
        Task { key: format!("key-{}", n % KEYS), n }
    }
}

/// What was handled of a key, in order.
#[derive(Clone, Debug, Default, State, Serialize, Deserialize)]
pub struct Done {
    /// The messages.
    pub numbers: Vec<u64>,
}

/// How the process dies, if it does.
pub struct Way(String);

/// Handles a message, or dies of it.
#[handler(retry(attempts = 3, min = "1ms"), crashes = 3)]
async fn work(task: Task, done: &mut Done, way: &Way) {
    tokio::task::yield_now().await;
    if task.n == KILLER {
        die(&way.0);
    }
    done.numbers.push(task.n);
}

fn die(way: &str) {
    match way {
        "abort" => std::process::abort(),
        "overflow" => drop(deeper(0)),
        "kill" => {
            let id = std::process::id().to_string();
            let killed = std::process::Command::new("kill").args(["-9", &id]).status();
            // Whatever came of it: this process does not go on.
            drop(killed);
            std::process::abort();
        }
        _ => {}
    }
}

#[allow(unconditional_recursion, reason = "that is its purpose")]
fn deeper(level: u64) -> [u64; 64] {
    let below = deeper(std::hint::black_box(level + 1));
    std::hint::black_box(below)
}

/// The service.
pub fn app(way: &str) -> App {
    App::new("victim").provide(Way(way.to_owned())).handlers(handlers![work])
}
