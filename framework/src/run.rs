//! Running: services until a signal stops them.

use std::path::PathBuf;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::App;
use crate::broker::Broker;
use crate::failure::RunError;
use crate::store::OpenStore;

mod running;

pub use running::Running;

/// Where [`run`] and [`run_all`] keep their data: in the directory that the environment variable
/// `ENDWISE_DATA` names, or in `endwise-data` below the current one if it is unset.
pub fn data_dir() -> PathBuf {
    std::env::var_os("ENDWISE_DATA").unwrap_or_else(|| "endwise-data".into()).into()
}

/// Runs a service on the embedded broker and store until SIGTERM or ctrl-c, or until it fails.
///
/// The data are in [`data_dir`]. To send messages in from the same process, start it with
/// [`Running::start`] instead, which gives you its producer.
///
/// ```no_run
/// use framework::prelude::*;
///
/// #[derive(Message, Serialize, Deserialize)]
/// struct Ping {}
///
/// #[handler]
/// async fn ping(_: Ping) {}
///
/// #[tokio::main]
/// async fn main() -> Result<(), RunError> {
///     framework::run(App::new("pinger").handlers(handlers![ping])).await
/// }
/// ```
pub async fn run(app: App) -> Result<(), RunError> {
    run_all([app]).await
}

/// Runs several services in one process, on one embedded broker, until SIGTERM or ctrl-c, or until
/// one of them fails; then all are stopped.
///
/// The data are in [`data_dir`]: the broker's in `broker`, each service's in a directory of its
/// name.
pub async fn run_all(apps: impl IntoIterator<Item = App>) -> Result<(), RunError> {
    let mut signals = Signals::new()?;
    let running = Running::start(data_dir(), apps).await?;
    until_signal(running, &mut signals).await
}

/// Runs a service on a broker and a store of your choice until SIGTERM or ctrl-c, or until it
/// fails.
pub async fn run_on(
    app: App,
    broker: impl Broker,
    store: impl OpenStore + 'static,
) -> Result<(), RunError> {
    let mut signals = Signals::new()?;
    let service = app.start(broker, store).await?;
    until_signal(Running::alone(service), &mut signals).await
}

/// Waits for a signal or the first service that ends, then stops all. A second signal does not wait
/// for that.
async fn until_signal(mut running: Running, signals: &mut Signals) -> Result<(), RunError> {
    let result = tokio::select! {
        biased;
        () = signals.next() => Ok(()),
        ended = running.ended() => ended,
    };
    let stopped = tokio::select! {
        biased;
        // What is in progress is left where it is, as by a crash: nothing is lost.
        () = signals.next() => {
            tracing::warn!(target: "endwise::service", "a second signal: ending at once");
            Ok(())
        }
        stopped = running.stop() => stopped,
    };
    result.and(stopped)
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
