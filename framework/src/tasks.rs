//! The only place that starts threads and blocking work.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Runs blocking work beside the runtime and waits for it. `None` if it was not run to its end:
/// the runtime is shutting down, or the work panicked. A caller that is dropped leaves the work to
/// finish by itself; its result is then lost, so the work must only read, or be awaited to its end.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// Starts a named thread. Whoever starts one says in its documentation what ends it, and joins it.
pub(crate) fn thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(work)
}
