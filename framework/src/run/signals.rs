//! The signals that stop the services of a process.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::clock::Moment;
use crate::failure::RunError;

/// Signals within this time of the first are part of it: a terminal signals its whole process
/// group, a supervisor the process, and neither knows of the other.
const BURST: Duration = Duration::from_secs(1);

/// Where signals come from.
pub(super) trait Source {
    /// Waits for the next one. Cancellation safe.
    fn next(&mut self) -> impl Future<Output = ()> + Send;
}

/// SIGTERM and ctrl-c.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from here on, so that a signal during the start is not missed.
    pub(super) fn listen() -> Result<Self, RunError> {
        let listen = |kind| signal(kind).map_err(|error| RunError::Signals(Arc::new(error)));
        Ok(Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }
}

impl Source for Signals {
    async fn next(&mut self) {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// What signals ask for: first to stop, and then to do so at once.
pub(super) struct Requests<S> {
    source: S,
    /// When the first one came.
    first: Option<Moment>,
}

impl<S: Source> Requests<S> {
    pub(super) fn new(source: S) -> Self {
        Requests { source, first: None }
    }

    /// Waits for the first signal. Cancellation safe.
    pub(super) async fn stop(&mut self) {
        if self.first.is_none() {
            self.source.next().await;
            self.first = Some(Moment::now());
        }
    }

    /// Waits for a signal that comes so long after the first that it means something else.
    /// Cancellation safe.
    pub(super) async fn stop_at_once(&mut self) {
        // A stop may have another reason than a signal: the first one asks for what is done anyway.
        self.stop().await;
        while let Some(first) = self.first {
            self.source.next().await;
            if first.elapsed() >= BURST {
                break;
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Signals at these times after each other.
    pub(in crate::run) struct Injected(pub(in crate::run) VecDeque<Duration>);

    impl Source for Injected {
        async fn next(&mut self) {
            let Some(wait) = self.0.front() else { return std::future::pending().await };
            let _ = tokio::time::timeout(*wait, std::future::pending::<()>()).await;
            self.0.pop_front();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn signals_within_a_second_are_one_and_a_later_one_is_another() {
        let after = [2_000, 0, 400, 599, 1].map(Duration::from_millis);
        let mut requests = Requests::new(Injected(after.into()));
        let begun = Moment::now();
        requests.stop().await;
        assert_eq!(begun.elapsed().as_millis(), 2_000);
        requests.stop_at_once().await;
        assert_eq!(begun.elapsed().as_millis(), 3_000);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_signal_during_a_stop_of_another_reason_is_the_first() {
        let after = [0, 100, 1_000].map(Duration::from_millis);
        let mut requests = Requests::new(Injected(after.into()));
        let begun = Moment::now();
        requests.stop_at_once().await;
        assert_eq!(begun.elapsed().as_millis(), 1_100);
    }
}
