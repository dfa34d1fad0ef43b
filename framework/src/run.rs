//! Running: services until a signal stops them.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::App;
use crate::broker::Broker;
use crate::failure::RunError;
use crate::service::Service;
use crate::store::OpenStore;

/// Runs a service on a broker and a store of your choice until SIGTERM or ctrl-c, or until it
/// fails.
pub async fn run_on(
    app: App,
    broker: impl Broker,
    store: impl OpenStore + 'static,
) -> Result<(), RunError> {
    let mut signals = Signals::new()?;
    let service = app.start(broker, store).await?;
    until_signal(vec![service], &mut signals).await
}

/// Waits for a signal or the first service that ends, then stops all of them, in their order.
async fn until_signal(mut services: Vec<Service>, signals: &mut Signals) -> Result<(), RunError> {
    let first = async {
        let all = services.iter_mut().map(|service| Box::pin(service.ended()));
        futures::future::select_all(all).await.0
    };
    let mut result = tokio::select! {
        biased;
        () = signals.next() => Ok(()),
        ended = first => ended,
    };
    for service in services {
        result = result.and(service.stop().await);
    }
    result
}

/// The signals that end a service.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from here on, so that a signal during the start is not missed.
    fn new() -> Result<Self, RunError> {
        let listen = |kind| signal(kind).map_err(RunError::Signals);
        Ok(Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
