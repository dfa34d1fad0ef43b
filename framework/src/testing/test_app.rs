//! A service in a test: in memory, on paused time, the same each time it runs.

use std::time::Duration;

use futures::FutureExt;

use crate::app::App;
use crate::broker::Broker;
use crate::broker::memory::MemoryBroker;
use crate::clock::Clock;
use crate::dead_letters::DeadLetters;
use crate::failure::RunError;
use crate::intake::IntakeError;
use crate::limits::Limits;
use crate::message::Message;
use crate::message::json::Sampling;
use crate::outgoing::Outgoing;
use crate::service::{Look, ReadError, Service, Setting, Work, look};
use crate::state::State;
use crate::store::memory::MemoryStore;

/// An app on a broker and a store in memory.
///
/// Give the test paused time, and each run of it is the same, byte for byte:
///
/// ```test_harness
/// use framework::prelude::*;
/// use framework::testing::TestApp;
///
/// #[derive(Message, Serialize, Deserialize)]
/// #[message(key = name)]
/// struct Hello {
///     name: String,
/// }
///
/// #[derive(State, Default, Serialize, Deserialize)]
/// struct Greeted {
///     times: u64,
/// }
///
/// #[handler]
/// async fn greet(_: Hello, greeted: &mut Greeted) {
///     greeted.times += 1;
/// }
///
/// #[tokio::test(start_paused = true)]
/// async fn each_name_is_counted() -> Result<(), Box<dyn std::error::Error>> {
///     let mut app = TestApp::start(App::new("greeter").handlers(handlers![greet])).await?;
///     app.publish(Hello { name: "ada".into() }).await?;
///     app.settle().await?;
///     assert_eq!(app.state::<Greeted>("ada").await?.map(|greeted| greeted.times), Some(1));
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct TestApp {
    service: Service,
    broker: MemoryBroker,
    store: MemoryStore,
    clock: Clock,
}

/// When a test begins, milliseconds since 1970: 2026-01-01.
const START_MS: u64 = 1_767_225_600_000;

impl TestApp {
    /// Starts an app on a broker and a store of its own.
    pub async fn start(app: App) -> Result<TestApp, RunError> {
        TestApp::start_on(app, MemoryBroker::default(), MemoryStore::new(1)).await
    }

    /// Starts an app on these: so several apps share a broker, and a restarted one its store.
    pub async fn start_on(
        app: App,
        broker: MemoryBroker,
        store: MemoryStore,
    ) -> Result<TestApp, RunError> {
        TestApp::start_in(app, broker, store, Limits::default()).await
    }

    /// Starts an app on a broker and a store of its own, within other limits.
    pub async fn start_within(app: App, limits: Limits) -> Result<TestApp, RunError> {
        TestApp::start_in(app, MemoryBroker::default(), MemoryStore::new(1), limits).await
    }

    async fn start_in(
        app: App,
        broker: MemoryBroker,
        store: MemoryStore,
        limits: Limits,
    ) -> Result<TestApp, RunError> {
        // A restarted app goes on in time, as its broker does.
        let clock = broker.clock(START_MS).restarted();
        let setting = Setting {
            clock: clock.clone(),
            seed: 1,
            limits,
            sampling: Sampling::All,
            ..Setting::default()
        };
        let shared = std::sync::Arc::new(broker.clone());
        let service = app.start_in(shared, Box::new(store.clone()), setting).await?;
        Ok(TestApp { service, broker, store, clock })
    }

    /// Sends a message in from outside; returns when it is durable.
    pub async fn publish<M: Message>(
        &self,
        message: impl Into<Outgoing<M>>,
    ) -> Result<(), IntakeError> {
        self.service.producer().send(message).await
    }

    /// Waits until everything that was sent is handled, and everything that this caused. What
    /// goes to a topic that no app on the broker reads waits for nobody. What failed is waited for
    /// until it is handled or a dead letter; what waits behind a dead letter, or for a time that
    /// has not come, is not.
    ///
    /// Where several apps share a broker, it waits for all of them on a runtime of one thread,
    /// which is `#[tokio::test]`'s own.
    ///
    /// Sends that were called before are waited for, awaited or not.
    ///
    /// Errors: how the service ended, told once; and [`RunError::Unsettled`] where what is left can
    /// go on by itself no more: messages wait for an app on the broker that was stopped, or a limit
    /// keeps this one from fetching.
    pub async fn settle(&mut self) -> Result<(), RunError> {
        let (mut broker, mut signals) = (self.broker.changes(), [self.service.work()]);
        let mut due = self.service.due().changes();
        loop {
            broker.mark_unchanged();
            signals.iter_mut().for_each(Work::mark_unchanged);
            due.mark_unchanged();
            if let Some(ended) = self.service.ended().now_or_never() {
                return ended;
            }
            // In this order: what comes in is open once it has come, what is settled has counted
            // its messages as open before, and if one was published between two looks, the broker
            // has changed.
            let coming = signals.iter().any(Work::is_coming);
            let consumers = self.broker.consumers();
            let found = look(&signals, coming, &consumers, true);
            let is_due = self.service.due().first().is_some_and(|at| at <= self.clock.now_ms());
            if !is_due && !broker.has_changed().unwrap_or(false) {
                match found {
                    Look::Settled => return Ok(()),
                    Look::Stuck(stuck) => return Err(RunError::Unsettled(Box::new(stuck))),
                    Look::Busy => {}
                }
            }
            let [signals] = &mut signals;
            tokio::select! {
                biased;
                ended = self.service.ended() => return ended,
                _ = broker.changed() => {}
                () = signals.changed() => {}
                _ = due.changed() => {}
            }
        }
    }

    /// Lets so much time pass, and then [settles](Self::settle). What is due meanwhile goes at its
    /// time: delayed messages, schedules, further attempts. With paused time it takes none.
    ///
    /// Errors: how the service ended, told once.
    pub async fn advance(&mut self, time: Duration) -> Result<(), RunError> {
        self.clock.sleep(time).await;
        self.settle().await
    }

    /// Sets the machine's clock back, as an administrator or a time server does: the time of day
    /// jumps for all apps on this broker, and no wait gets longer.
    ///
    /// What goes by the time of day (schedules, messages that wait for a time) notices within a
    /// minute, so [`advance`](Self::advance) by that much before you look.
    pub fn set_clock_back(&self, by: Duration) {
        self.clock.set_by(-whole_ms(by));
    }

    /// Sets the machine's clock forward; see [`set_clock_back`](Self::set_clock_back).
    pub fn set_clock_forward(&self, by: Duration) {
        self.clock.set_by(whole_ms(by));
    }

    /// All messages of a type that were published, each slot's in order.
    pub fn published<M: Message>(&self) -> Result<Vec<M>, serde_json::Error> {
        let is_one = |publication: &crate::broker::Publication| {
            publication.headers.get(crate::envelope::attributes::TYPE) == Some(M::TYPE)
        };
        let published = self.broker.published(M::TOPIC).into_iter().filter(is_one);
        published.map(|publication| serde_json::from_slice(&publication.body)).collect()
    }

    /// The state of a key, as it is durable now; `None` if it has none.
    pub async fn state<S: State>(&self, key: &str) -> Result<Option<S>, ReadError> {
        self.service.state(key).await
    }

    /// What the service could not handle.
    pub fn dead_letters(&self) -> DeadLetters {
        self.service.dead_letters()
    }

    /// The service.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The broker.
    pub fn broker(&self) -> &MemoryBroker {
        &self.broker
    }

    /// The store.
    pub fn store(&self) -> &MemoryStore {
        &self.store
    }

    /// Stops the service in order.
    pub async fn stop(self) -> Result<(), RunError> {
        self.service.stop().await
    }
}

fn whole_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
