//! Whether the code that runs is a handler's.

use std::future::Future;

tokio::task_local! {
    static HANDLING: ();
}

/// Marks what a future does as a handler's doing.
pub(crate) fn handling<F: Future>(call: F) -> impl Future<Output = F::Output> {
    HANDLING.scope((), call)
}

/// Whether a handler is calling.
pub(crate) fn is_handling() -> bool {
    HANDLING.try_with(|()| ()).is_ok()
}
