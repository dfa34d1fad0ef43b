//! What is served beside the services: it ends first, and then they do.

use std::convert::Infallible;
use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::sync::Arc;

use super::Running;
use super::signals::{Requests, Source};
use super::stopper::Stopper;
use crate::clock::Clock;
use crate::error::BoxError;
use crate::failure::RunError;

/// Nothing is served: it ends when it is asked to.
pub(super) fn nothing(stopper: Stopper) -> impl Future<Output = Result<(), Infallible>> {
    let requested = stopper.requested();
    async move {
        requested.await;
        Ok(())
    }
}

/// Serves until a signal, a request or an end; then what is served ends, and the services stop. A
/// second signal does not wait for that.
pub(super) async fn until<F, E>(
    running: &Running,
    signals: &mut Requests<impl Source>,
    front: impl FnOnce(Stopper) -> F,
) -> Result<(), RunError>
where
    F: IntoFuture<Output = Result<(), E>>,
    E: Into<BoxError>,
{
    let front = front(running.stopper()).into_future();
    let mut front = pin!(async { front.await.map_err(|error| failed(error.into())) });
    let mut is_served = true;
    let result = tokio::select! {
        biased;
        () = signals.stop() => Ok(()),
        ended = running.ended() => ended,
        served = &mut front => {
            is_served = false;
            served
        }
    };
    running.ask_to_stop();
    let stop = async {
        let mut served = Ok(());
        if is_served {
            let ended = Clock::system().timeout(running.drain, &mut front).await;
            served = ended.unwrap_or_else(|| {
                tracing::warn!(
                    target: "endwise::service", drain = ?running.drain,
                    "what is served beside the services did not end in the time to drain: it is \
                     left, and the services stop",
                );
                Ok(())
            });
        }
        served.and(running.stop().await)
    };
    let stopped = tokio::select! {
        biased;
        // What is in progress is left where it is, as by a crash: nothing is lost.
        () = signals.stop_at_once() => {
            tracing::warn!(target: "endwise::service", "a second signal: ending at once");
            Ok(())
        }
        stopped = stop => stopped,
    };
    result.and(stopped)
}

fn failed(error: BoxError) -> RunError {
    RunError::Serving(Arc::from(error))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::signals::tests::Injected;
    use super::*;
    use crate::broker::memory::MemoryBroker;
    use crate::clock::Moment;
    use crate::prelude::*;
    use crate::service::Setting;
    use crate::store::memory::MemoryStore;

    #[derive(Message, Serialize, Deserialize)]
    struct Ping {}

    #[handler(timeout = "10h")]
    async fn hangs(_: Ping) {
        std::future::pending().await
    }

    const HOUR: Duration = Duration::from_secs(3_600);

    /// A service whose handler never ends, so that a stop takes an hour.
    async fn running() -> Running {
        let setting = Setting { drain: HOUR, ..Setting::in_test(0) };
        let app = App::new("pinger").handlers(handlers![hangs]);
        let (broker, store) = (Arc::new(MemoryBroker::default()), Box::new(MemoryStore::new(1)));
        let service = app.start_in(broker, store, setting.clone()).await.unwrap();
        service.producer().send(Ping {}).await.unwrap();
        let (mut fetched, handle) = (service.live(), service.handle());
        fetched.wait_for(|live| *live > 0).await.unwrap();
        assert!(handle.ready().is_ready());
        Running::alone(service, &setting)
    }

    #[tokio::test(start_paused = true)]
    async fn two_signals_within_a_second_let_the_stop_take_its_time() {
        let running = running().await;
        let mut signals = Requests::new(Injected([10, 900].map(Duration::from_millis).into()));
        let begun = Moment::now();
        until(&running, &mut signals, nothing).await.unwrap();
        assert!(begun.elapsed() >= HOUR, "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_signal_after_that_second_ends_it_at_once() {
        let running = running().await;
        let mut signals = Requests::new(Injected([10, 900, 100].map(Duration::from_millis).into()));
        let begun = Moment::now();
        until(&running, &mut signals, nothing).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_millis(1_010));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_served_ends_before_the_services_do() {
        let app = App::new("pinger").handlers(handlers![hangs]);
        let (broker, store) = (Arc::new(MemoryBroker::default()), Box::new(MemoryStore::new(1)));
        let setting = Setting::in_test(0);
        let service = app.start_in(broker, store, setting.clone()).await.unwrap();
        let (handle, running) = (service.handle(), Running::alone(service, &setting));
        let mut signals = Requests::new(Injected([Duration::from_millis(10)].into()));
        let front = |stopper: Stopper| {
            let handle = handle.clone();
            async move {
                stopper.requested().await;
                assert!(!handle.ready().is_ready(), "who asks is told not to send more");
                // A request that was under way.
                let second = Duration::from_secs(1);
                let _ = tokio::time::timeout(second, std::future::pending::<()>()).await;
                handle.producer().send(Ping {}).await
            }
        };
        until(&running, &mut signals, front).await.unwrap();
        let late = handle.producer().send(Ping {}).await;
        assert!(matches!(late, Err(crate::IntakeError::Ended)), "{late:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_served_and_fails_stops_the_services() {
        let running = running().await;
        let mut signals = Requests::new(Injected([Duration::from_secs(2 * 3_600)].into()));
        let front = |_| std::future::ready(Err::<(), _>("no port is free"));
        let error = until(&running, &mut signals, front).await.unwrap_err();
        assert!(error.to_string().ends_with("no port is free"), "{error}");
        assert!(!running.services()[0].ready().is_ready());
    }
}
