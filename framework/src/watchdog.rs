//! A watchdog: reports a handler that holds its thread without ever yielding.
//!
//! Such a handler cannot be stopped: no timeout of an `async` call ends what does not await. It
//! takes a worker thread from everything else, so at least its name and its key are told.
//!
//! Each poll of a handler's future notes itself in a slot. A thread looks at the slots every
//! second while anything is polled, and sleeps while nothing is.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::{Clock, Moment};
use crate::stream::Key;
use crate::tasks;

mod report;
mod slots;

pub(crate) use report::Blocked;
use report::{Event, Report, Watched};
use slots::Slots;

/// How often the thread looks.
const EVERY: Duration = Duration::from_secs(1);

/// How a service is watched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// A poll that takes longer is reported.
    pub(crate) limit: Duration,
}

impl Default for Setting {
    fn default() -> Self {
        Setting { limit: Duration::from_secs(5) }
    }
}

/// Watches the handlers of one service. Dropping it ends its thread and waits for that.
#[derive(Debug)]
pub(crate) struct Watchdog {
    watch: Watch,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Where handlers are watched. A clone is the same one.
#[derive(Clone, Debug)]
pub(crate) struct Watch(Arc<Slots>);

impl Watchdog {
    /// Starts watching. Where no thread can be started, nothing is watched, and that is said.
    ///
    /// Those that hold their threads are handed to `blocked` whenever there are others than before.
    pub(crate) fn start(setting: Setting, blocked: impl Fn(Vec<Blocked>) + Send + 'static) -> Self {
        let (slots, is_over) = (Arc::new(Slots::default()), Arc::new(AtomicBool::new(false)));
        let thread = tasks::thread("endwise-watchdog", {
            let (slots, is_over) = (Arc::clone(&slots), Arc::clone(&is_over));
            move || look_on(&slots, &is_over, setting, blocked)
        });
        let told = |error| tracing::warn!(target: "endwise::watchdog", %error, "cannot be started");
        Watchdog { watch: Watch(slots), is_over, thread: thread.map_err(told).ok() }
    }

    /// Where its handlers are watched.
    pub(crate) fn watch(&self) -> Watch {
        self.watch.clone()
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It cannot panic, and nobody is left to tell.
            drop(thread.join());
        }
    }
}

impl Watch {
    /// Polls a handler's future, each poll of it watched.
    pub(crate) async fn over<F: Future>(
        &self,
        handler: &Arc<str>,
        key: Option<&Key>,
        future: F,
    ) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            let _watched = self.0.enter(handler, key);
            future.as_mut().poll(context)
        })
        .await
    }
}

/// The thread: until the watchdog is dropped.
fn look_on(slots: &Slots, is_over: &AtomicBool, setting: Setting, blocked: impl Fn(Vec<Blocked>)) {
    slots.wake_this_thread();
    let (began, mut watched) = (Moment::now(), Watched::new(setting.limit));
    loop {
        let is_last = is_over.load(Ordering::Acquire);
        let polls = slots.polls();
        let is_idle = polls.is_empty();
        let reports = watched.look(polls, began.elapsed());
        if !reports.is_empty() {
            reports.iter().for_each(tell);
            blocked(watched.blocked(began.elapsed()));
        }
        if is_last {
            return;
        }
        if is_idle && slots.falls_asleep() {
            Clock::park(None);
            slots.is_awake();
        }
        // Also after it was woken, or each message of an idle service would wake it.
        if !is_over.load(Ordering::Acquire) {
            Clock::park(Some(EVERY));
        }
    }
}

fn tell(report: &Report) {
    let Report { handler, key, event, after } = report;
    let (handler, key, seconds) = (&**handler, key.as_deref(), after.as_secs());
    match event {
        Event::Holds => tracing::warn!(
            target: "endwise::watchdog", handler, key, seconds,
            "the handler holds its thread and does not yield: let it await, or run what takes \
             long on a blocking thread",
        ),
        Event::Returned => tracing::warn!(
            target: "endwise::watchdog", handler, key, seconds, "the handler has yielded again",
        ),
    }
}

#[cfg(test)]
mod tests;
