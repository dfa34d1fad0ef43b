//! Whether a handler itself has begun with a delivery, or that still waits in a layer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;

use futures::task::AtomicWaker;

/// Whether the handler's own future was polled yet: noted inside all layers, seen outside them.
#[derive(Debug, Default)]
pub(crate) struct Begun {
    is_begun: AtomicBool,
    watcher: AtomicWaker,
}

impl Begun {
    /// The handler begins now.
    pub(crate) fn begin(&self) {
        if !self.is_begun.swap(true, Ordering::AcqRel) {
            // A layer may poll it in a task of its own.
            self.watcher.wake();
        }
    }

    /// Whether it has begun.
    pub(crate) fn is_begun(&self) -> bool {
        self.is_begun.load(Ordering::Acquire)
    }

    /// Lets this task be woken when it begins.
    pub(crate) fn watch(&self, context: &Context<'_>) {
        self.watcher.register(context.waker());
    }
}
