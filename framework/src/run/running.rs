//! Several services in one process, with their data in one directory.

use std::collections::BTreeSet;
use std::future::IntoFuture;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::app::App;
use crate::broker::embedded::EmbeddedBroker;
use crate::broker::status::BrokerStatus;
use crate::broker::{Broker, BrokerError};
use crate::config::Config;
use crate::error::BoxError;
use crate::failure::RunError;
use crate::service::{Look, Opening, Service, ServiceHandle, Setting, Work, look};
use crate::start::StartError;
use crate::store::sled::{Epoch, SledOptions, SledStore};
use crate::tasks::blocking;

use super::fit::{Fit, Held};
use super::open::open_broker;
use super::serve;
use super::signals::{Requests, Signals};
use super::stopper::Stopper;

/// Services that run in this process on one embedded broker: what [`run_all`](crate::run_all)
/// runs, as a handle for intake, tests and embedding.
///
/// ```no_run
/// use framework::prelude::*;
/// use framework::{Config, Running};
///
/// #[derive(Message, Serialize, Deserialize)]
/// struct Ping {}
///
/// #[handler]
/// async fn ping(_: Ping) {}
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let app = App::new("pinger").handlers(handlers![ping]);
///     let running = Running::start(Config::load()?, [app]).await?;
///     for service in running.services() {
///         service.producer().send(Ping {}).await?;
///     }
///     Ok(running.until_signal().await?)
/// }
/// ```
#[derive(Debug)]
pub struct Running {
    services: Vec<Service>,
    broker: Option<EmbeddedBroker>,
    /// What says that the directories belong together.
    fit: Mutex<Option<Fit>>,
    stopper: Stopper,
    /// How long what is served beside the services may take to end.
    pub(super) drain: Duration,
    /// How the stop ended, once it has.
    stopped: OnceCell<Result<(), RunError>>,
}

async fn advance(mut fit: Fit) -> Result<Fit, RunError> {
    Ok(blocking(move || {
        fit.advance();
        fit
    })
    .await?)
}

impl Running {
    /// Starts services on the broker and the stores that a configuration names; a directory alone
    /// is the default configuration with its data there. If one of them cannot start, those before
    /// it are stopped again.
    pub async fn start(
        config: impl Into<Config>,
        apps: impl IntoIterator<Item = App>,
    ) -> Result<Running, RunError> {
        let apps = apps.into_iter().collect();
        Running::open(config.into(), apps).await.map_err(RunError::at_start)
    }

    async fn open(config: Config, apps: Vec<App>) -> Result<Running, RunError> {
        config.check()?;
        let mut names = BTreeSet::new();
        if let Some(again) = apps.iter().find(|app| !names.insert(Arc::clone(&app.name))) {
            return Err(StartError::SameService(Arc::clone(&again.name)).into());
        }
        let names: Vec<Arc<str>> = apps.iter().map(|app| Arc::clone(&app.name)).collect();
        let (data, options) = (config.data.clone(), config.broker.embedded.clone());
        let (broker, fit) = blocking(move || open_broker(&data, &names, options)).await??;
        let mut running = Running::of(Vec::new(), Some(broker.clone()), config.drain);
        match running.start_all(&config, apps, &broker, fit).await {
            Ok(()) => Ok(running),
            Err(error) => {
                drop(broker);
                // What stops those that run already is the first error, and is told.
                let _ = running.stop().await;
                Err(error)
            }
        }
    }

    /// Opens all stores, looks whether they belong together, and starts the services.
    async fn start_all(
        &mut self,
        config: &Config,
        apps: Vec<App>,
        broker: &EmbeddedBroker,
        mut fit: Fit,
    ) -> Result<(), RunError> {
        let mut opened = Vec::with_capacity(apps.len());
        for app in apps {
            // Each store has random numbers of its own.
            let options =
                SledOptions { seed: crate::random::seed(), ..config.store.embedded.clone() };
            let accepted = fit.is_accepted(app.name());
            let epoch = if accepted { Epoch::Raised } else { Epoch::Same };
            let store = SledStore::new(config.data.join(app.name())).options(options).epoch(epoch);
            let app = config.complete(app);
            opened.push(Opening::open(app, Box::new(store), config.setting(), broker).await?);
        }
        let held =
            opened.iter().map(|one| Held { service: one.service(), recovered: one.recovered() });
        fit.check_held(&held.collect::<Vec<_>>(), broker)?;
        self.fit = Mutex::new(Some(advance(fit).await?));
        for one in opened {
            self.services.push(one.start(Arc::new(broker.clone())).await?);
        }
        Ok(())
    }

    /// One service, on a broker that is somebody else's.
    pub(super) fn alone(service: Service, setting: &Setting) -> Self {
        Running::of(vec![service], None, setting.drain)
    }

    fn of(services: Vec<Service>, broker: Option<EmbeddedBroker>, drain: Duration) -> Self {
        let (fit, stopper, stopped) = (Mutex::default(), Stopper::new(), OnceCell::new());
        Running { services, broker, fit, stopper, drain, stopped }
    }

    /// The services, in the order in which they were started.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The service of that name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name() == name)
    }

    /// How the embedded broker is doing: its topics, who reads them and how far behind, and what
    /// its disk holds. `None` if the services run on another broker.
    pub fn broker_status(&self) -> Option<BrokerStatus> {
        self.broker.as_ref()?.status()
    }

    /// A handle to the service of that name, for an HTTP server, a health route, a task.
    pub fn handle(&self, name: &str) -> Option<ServiceHandle> {
        self.service(name).map(Service::handle)
    }

    /// A way to ask for their stop from anywhere in the program.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Waits until one of the services has ended, by an error or because it was stopped, or until
    /// a [`Stopper`] asks for that. Cancellation safe; whoever asks is told the same.
    pub async fn ended(&self) -> Result<(), RunError> {
        let first = async {
            if self.services.is_empty() {
                return std::future::pending().await;
            }
            let all = self.services.iter().map(|service| Box::pin(service.ended()));
            futures::future::select_all(all).await.0
        };
        tokio::select! {
            biased;
            ended = first => ended,
            () = self.stopper.requested() => Ok(()),
        }
    }

    /// Waits until everything that was sent is handled, and everything that this caused; or until
    /// a service has ended. Sends that were called before are among it, awaited or not. What failed
    /// is waited for until it is handled or a dead letter; what waits behind a dead letter, or for
    /// its time, is not. Messages that other processes or later calls send may come meanwhile: it is
    /// a look at one moment. Cancellation safe.
    ///
    /// Errors: [`RunError::Unsettled`] once what is left can go on by itself no more. It names the
    /// consumers that do not run here and for which messages wait, the services that a limit keeps
    /// from fetching, and a broker without room. What can be handled is handled then.
    pub async fn settle(&self) -> Result<(), RunError> {
        let Some(broker) = self.broker.clone() else { return Ok(()) };
        let mut services: Vec<Work> = self.services.iter().map(Service::work).collect();
        let mut changes = broker.changes();
        loop {
            changes.mark_unchanged();
            services.iter_mut().for_each(Work::mark_unchanged);
            // In this order: what comes in is open once it has come, what is settled has counted
            // its messages as open before, and if one was published between two looks, the broker
            // has changed.
            let coming = services.iter().any(Work::is_coming);
            let consumers = broker.consumers();
            let found = look(&services, coming, &consumers, broker.has_room());
            if !changes.has_changed().unwrap_or(false) {
                match found {
                    Look::Settled => return Ok(()),
                    Look::Stuck(stuck) => return Err(RunError::Unsettled(Box::new(stuck))),
                    Look::Busy => {}
                }
            }
            let any = services.iter_mut().map(|service| Box::pin(service.changed()));
            let any: Vec<_> = any.collect();
            let any = async {
                match any.is_empty() {
                    true => std::future::pending().await,
                    false => drop(futures::future::select_all(any).await),
                }
            };
            tokio::select! {
                biased;
                ended = self.ended() => return ended,
                _ = changes.changed() => {}
                () = any => {}
            }
        }
    }

    /// Has the broker forget a consumer that does not run: what it has not settled is kept for it
    /// no more, and what it held is released. How many messages that were.
    ///
    /// Errors: there is no such consumer, or it runs.
    pub async fn forget_consumer(&self, consumer: &str) -> Result<u64, RunError> {
        match &self.broker {
            Some(broker) => Ok(broker.forget_consumer(consumer).await?),
            None => Err(BrokerError::UnknownConsumer(consumer.into()).into()),
        }
    }

    /// Waits for SIGTERM or ctrl-c, or for the first service that fails, then stops all.
    ///
    /// It listens from this call on: a signal before it ends the process at once, as a crash
    /// would, and loses nothing.
    pub async fn until_signal(&self) -> Result<(), RunError> {
        self.serve(serve::nothing).await
    }

    /// Runs something beside the services until SIGTERM or ctrl-c, a [`Stopper`], or the first
    /// service that fails: an HTTP server, say. It is told then by the [`Stopper`] that it is
    /// given, and ends first, within the time to drain, so that requests under way still find the
    /// services; then these are stopped. If it ends by itself, they are too. Signals within a
    /// second count as one; a later second one ends all at once.
    ///
    /// It listens from this call on, as [`until_signal`](Self::until_signal) does.
    ///
    /// ```no_run
    /// use framework::prelude::*;
    /// use framework::{Config, Running};
    /// # async fn serve_http(stop: impl Future<Output = ()>) -> std::io::Result<()> { Ok(()) }
    ///
    /// async fn serve(app: App) -> Result<(), RunError> {
    ///     let running = Running::start(Config::load()?, [app]).await?;
    ///     // With axum: |stopper| axum::serve(listener, router)
    ///     //     .with_graceful_shutdown(stopper.requested())
    ///     running.serve(|stopper| serve_http(stopper.requested())).await
    /// }
    /// ```
    ///
    /// Errors: the first of how a service failed, how what is served did
    /// ([`RunError::Serving`]), and how the stop did.
    pub async fn serve<F, E>(&self, front: impl FnOnce(Stopper) -> F) -> Result<(), RunError>
    where
        F: IntoFuture<Output = Result<(), E>>,
        E: Into<BoxError>,
    {
        let mut signals = Requests::new(Signals::listen()?);
        serve::until(self, &mut signals, front).await
    }

    /// Says that it is about to stop, to whoever serves beside it and whoever asks whether it is
    /// ready. Everything is still handled and taken in.
    pub(super) fn ask_to_stop(&self) {
        self.stopper.stop();
        self.services.iter().for_each(Service::announce_stop);
    }

    /// Stops all services, side by side, then the broker; returns when all is closed, whoever still
    /// has a handle. Called again, it waits for the same.
    ///
    /// Errors: the first with which one of them ended.
    pub async fn stop(&self) -> Result<(), RunError> {
        self.stopper.stop();
        self.services.iter().for_each(Service::begin_stop);
        self.stopped.get_or_init(|| self.close()).await.clone()
    }

    async fn close(&self) -> Result<(), RunError> {
        let mut result = Ok(());
        for service in &self.services {
            result = result.and(service.stop().await);
        }
        let fit = self.fit.lock().unwrap_or_else(PoisonError::into_inner).take();
        // What ended with an error may have lost its directory, or its disk: that is as if the
        // process had died, and the opening stays the one that it was.
        if let Some(fit) = fit.filter(|_| result.is_ok()) {
            // A copy that was made while they ran is of the opening before. The broker's lock
            // still keeps others out.
            result = result.and(advance(fit).await.map(drop));
        }
        if let Some(broker) = &self.broker {
            result = result.and(broker.close().await.map_err(RunError::from));
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    #[derive(Message, Serialize, Deserialize)]
    struct Ping {}

    #[handler]
    fn ping(_: Ping) {}

    #[handler]
    fn lacking(_: Ping, _: &String) {}

    fn named(name: &str, handlers: Handlers) -> App {
        App::new(name).handlers(handlers)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_service_that_cannot_start_leaves_none_running() {
        let home = tempfile::tempdir().unwrap();
        let pair = [named("a", handlers![ping]), named("b", handlers![lacking])];
        let error = Running::start(home.path(), pair).await.unwrap_err();
        assert!(matches!(error, RunError::Start(StartError::MissingDependency { .. })), "{error}");

        let alone = Running::start(home.path(), [named("a", handlers![ping])]).await.unwrap();
        alone.stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_name_is_one_services_and_fits_into_paths_and_headers() {
        let home = tempfile::tempdir().unwrap();
        let twice = ["a", "a"].map(|name| named(name, handlers![ping]));
        let error = Running::start(home.path(), twice).await.unwrap_err();
        assert!(matches!(error, RunError::Start(StartError::SameService(_))), "{error}");
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Running::start(file.join("data"), [named("a", handlers![ping])]).await;
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("cannot start: ") && error.contains("file is a file"), "{error}");
        let long = "a".repeat(201);
        for name in ["", "..", "broker", "ACCEPT", "a/b", "a;b", "a b", &long] {
            let app = named(name, handlers![ping]);
            let error = Running::start(home.path(), [app]).await.unwrap_err();
            assert!(matches!(error, RunError::Start(StartError::Name(_))), "{name:?}: {error}");
        }
    }
}
