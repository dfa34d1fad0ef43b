//! The only place that starts tasks, threads and blocking work.

use std::future::Future;
use std::io;
use std::thread::{Builder, JoinHandle};

use tokio::task::JoinSet;

/// The tasks of one service. Whoever drops it stops them at their next await.
#[derive(Debug)]
pub(crate) struct Tasks<T>(JoinSet<T>);

impl<T: Send + 'static> Tasks<T> {
    pub(crate) fn new() -> Self {
        Tasks(JoinSet::new())
    }

    /// Starts a task.
    pub(crate) fn spawn(&mut self, task: impl Future<Output = T> + Send + 'static) {
        self.0.spawn(task);
    }

    /// Stops all of them at their next await.
    pub(crate) fn stop(&mut self) {
        self.0 = JoinSet::new();
    }

    /// Stops all of them at their next await, and waits until they are gone.
    pub(crate) async fn shutdown(&mut self) {
        self.0.shutdown().await;
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A task that has ended; `None` if none has.
    pub(crate) fn ended_now(&mut self) -> Option<Result<T, TaskDied>> {
        Some(self.0.try_join_next()?.map_err(|error| TaskDied(error.to_string())))
    }

    /// The next task that ended; `None` when there are none. Cancellation safe.
    pub(crate) async fn ended(&mut self) -> Option<Result<T, TaskDied>> {
        Some(self.0.join_next().await?.map_err(|error| TaskDied(error.to_string())))
    }
}

/// A task of the framework panicked or was cancelled from outside.
#[derive(Clone, Debug, thiserror::Error)]
#[error("a task of the framework died: {0}; please report this")]
pub struct TaskDied(String);

impl TaskDied {
    /// One whose end nobody saw: it was dropped.
    pub(crate) fn dropped() -> Self {
        TaskDied("it was dropped before its end".into())
    }
}

/// Runs blocking work on tokio's threads for it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, TaskDied> {
    tokio::task::spawn_blocking(work).await.map_err(|error| TaskDied(error.to_string()))
}

/// Starts a named thread. Whoever starts one says in its documentation what ends it, and joins it.
pub(crate) fn thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(work)
}
