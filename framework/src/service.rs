//! A running service: opened, recovered, started, and stopped in order.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::Config;
use crate::due::Due;
use crate::failure::RunError;
use crate::limits::Limits;
use crate::message::json::Sampling;
use crate::tasks::{TaskDied, Tasks};

mod begin;
mod counts;
mod handle;
mod pass;
mod settling;
mod start;
mod supervise;
mod unhandled;

pub use counts::Counts;
pub use handle::{ReadError, ServiceHandle};
pub use settling::Unsettled;
pub(crate) use settling::{Look, Work, look};
pub(crate) use start::Opening;

/// How a service is run, beside its app, broker and store.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    /// Where the jitter of retries comes from.
    pub(crate) seed: u64,
    /// How long what is in progress may take once the service is told to stop.
    pub(crate) drain: Duration,
    /// Which values that are written are read back at once.
    pub(crate) sampling: Sampling,
}

impl Setting {
    /// On tokio's time, from `start_ms` since 1970, with the same random numbers each time.
    #[cfg(test)]
    pub(crate) fn in_test(start_ms: u64) -> Self {
        Setting { clock: Clock::fixed(start_ms), seed: 1, ..Setting::default() }
    }
}

impl Default for Setting {
    fn default() -> Self {
        Config::default().setting()
    }
}

/// A service that runs, and what keeps it running. Dropping it ends the service where it is, as a
/// crash would: nothing is lost, and what was in progress is done again after the next start.
///
/// It is also a [`ServiceHandle`]: all that can be asked of one can be asked of it.
#[derive(Debug)]
pub struct Service {
    handle: ServiceHandle,
    open: watch::Receiver<usize>,
    due: Due,
    stop: watch::Sender<bool>,
    /// How it ended, once it has.
    ended: watch::Receiver<Option<Result<(), RunError>>>,
    /// Dropping it ends the service.
    _supervisor: Tasks<()>,
}

impl Deref for Service {
    type Target = ServiceHandle;

    fn deref(&self) -> &ServiceHandle {
        &self.handle
    }
}

impl Service {
    /// A handle to it that can be cloned, and that does not keep it running.
    pub fn handle(&self) -> ServiceHandle {
        self.handle.clone()
    }

    /// What it has to do, as it changes.
    pub(crate) fn work(&self) -> Work {
        let ServiceHandle { name, vitals, desk, .. } = &self.handle;
        Work {
            service: Arc::clone(name),
            limits: desk.live.as_ref().map(|live| live.limits.clone()).unwrap_or_default(),
            open: self.open.clone(),
            coming: vitals.coming.subscribe(),
            live: vitals.live.subscribe(),
            fetched: vitals.fetched.subscribe(),
            totals: vitals.totals.subscribe(),
            vitals: Arc::clone(vitals),
        }
    }

    /// Changes with each commit.
    #[cfg(test)]
    pub(crate) fn commits(&self) -> watch::Receiver<crate::store::Totals> {
        self.handle.vitals.totals.subscribe()
    }

    /// How many lanes go on by themselves, as it changes.
    #[cfg(test)]
    pub(crate) fn live(&self) -> watch::Receiver<usize> {
        self.handle.vitals.live.subscribe()
    }

    /// When the next message is to be sent that waits for its time.
    pub(crate) fn due(&self) -> &Due {
        &self.due
    }

    /// Waits until the service has ended: by an error, or because it was stopped. Cancellation
    /// safe; whoever asks, however often, is told the same.
    pub async fn ended(&self) -> Result<(), RunError> {
        let mut ended = self.ended.clone();
        let ended = ended.wait_for(Option::is_some).await.ok().and_then(|ended| ended.clone());
        // Without an answer, its supervisor has gone without one.
        ended.unwrap_or_else(|| Err(TaskDied::dropped().into()))
    }

    /// Says that a stop is near: it is not ready for more, and takes it all the same.
    pub(crate) fn announce_stop(&self) {
        self.handle.vitals.stopping.set(true);
    }

    /// Tells the service to stop, without waiting for it. From here on nothing is taken in.
    pub(crate) fn begin_stop(&self) {
        self.handle.vitals.stopping.set(true);
        self.handle.producer.arrivals.seal();
        self.stop.send_replace(true);
    }

    /// Stops the service and waits for its end: nothing more is taken in or fetched, what was sent
    /// in before this call is made durable, what is in progress is handled and committed, and the
    /// store is closed, whoever still has a handle. What was not begun is handled after the next
    /// start.
    ///
    /// Dropping the future does not take the stop back. Errors: how the service ended, if not by
    /// this.
    pub async fn stop(&self) -> Result<(), RunError> {
        self.begin_stop();
        let ended = self.ended().await;
        tracing::info!(target: "endwise::service", service = self.name(), "stopped");
        ended
    }
}
