//! Running: services until a signal stops them.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::App;
use crate::broker::Broker;
use crate::config::Config;
use crate::failure::RunError;
use crate::store::OpenStore;

mod fit;
mod running;

pub use fit::FitError;
pub use running::Running;

/// Runs a service until SIGTERM or ctrl-c, or until it fails, on what the
/// [configuration](Config::load) says: `endwise.toml` and `ENDWISE_*`, and without them the
/// embedded broker and store in `endwise-data`.
///
/// To send messages in from the same process, start it with [`Running::start`] instead, which gives
/// you its producer.
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

/// Runs several services in one process, on one broker, until SIGTERM or ctrl-c, or until one of
/// them fails; then all are stopped.
///
/// The [configuration](Config::load) says on what. The embedded broker's data are in its
/// [`data`](Config::data) in `broker`, each service's in a directory of its name.
pub async fn run_all(apps: impl IntoIterator<Item = App>) -> Result<(), RunError> {
    let mut signals = Signals::new()?;
    let running = Running::start(Config::load()?, apps).await?;
    until_signal(running, &mut signals).await
}

/// Runs a service on a broker and a store of your choice until SIGTERM or ctrl-c, or until it
/// fails. The [configuration](Config::load) says the rest: its limits, and what it does on failure.
pub async fn run_on(
    app: App,
    broker: impl Broker,
    store: impl OpenStore + 'static,
) -> Result<(), RunError> {
    let mut signals = Signals::new()?;
    let config = Config::load()?;
    let app = config.complete(app);
    let service = app.start_in(Arc::new(broker), Box::new(store), config.setting()).await?;
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::prelude::*;

    #[derive(Message, Serialize, Deserialize)]
    struct Ping {}

    #[handler]
    async fn hangs(_: Ping) {
        std::future::pending().await
    }

    fn terminate_this_process() {
        let id = std::process::id().to_string();
        let sent = std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(sent.success());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_signal_begins_a_stop_and_a_second_one_ends_it() {
        let home = tempfile::tempdir().unwrap();
        let config = Config { drain: Duration::from_secs(3_600), ..Config::from(home.path()) };
        let mut signals = Signals::new().unwrap();
        let app = App::new("pinger").handlers(handlers![hangs]);
        let running = Running::start(config, [app]).await.unwrap();
        let pinger = running.service("pinger").unwrap();
        let producer = pinger.producer();
        producer.send(Ping {}).await.unwrap();
        while pinger.counts().fetched() == 0 {
            tokio::task::yield_now().await;
        }
        let twice = async {
            terminate_this_process();
            // What comes from outside is refused once a stop has begun.
            while producer.send(Ping {}).await.is_ok() {}
            terminate_this_process();
        };
        let (ended, ()) = tokio::join!(until_signal(running, &mut signals), twice);
        ended.unwrap();
    }
}
