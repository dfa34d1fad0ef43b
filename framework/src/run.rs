//! Running: services until a signal stops them.

use std::sync::Arc;

use crate::app::App;
use crate::broker::Broker;
use crate::config::Config;
use crate::failure::RunError;
use crate::store::OpenStore;

mod fit;
mod open;
mod running;
mod serve;
mod signals;
mod stopper;

pub use fit::FitError;
pub use running::Running;
use signals::{Requests, Signals};
pub use stopper::Stopper;

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
    let mut signals = Requests::new(Signals::listen()?);
    let running = Running::start(Config::load()?, apps).await?;
    serve::until(&running, &mut signals, serve::nothing).await
}

/// Runs a service on a broker and a store of your choice until SIGTERM or ctrl-c, or until it
/// fails. The [configuration](Config::load) says the rest: its limits, and what it does on failure.
pub async fn run_on(
    app: App,
    broker: impl Broker,
    store: impl OpenStore + 'static,
) -> Result<(), RunError> {
    let mut signals = Requests::new(Signals::listen()?);
    let config = Config::load()?;
    let app = config.complete(app);
    let setting = config.setting();
    let service = app.start_in(Arc::new(broker), Box::new(store), setting.clone()).await?;
    serve::until(&Running::alone(service, &setting), &mut signals, serve::nothing).await
}
