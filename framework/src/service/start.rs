//! Starting: everything is checked and opened first, then the parts run.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::begin::Parts;
use super::pass::pass;
use super::supervise::{Controls, Ending, Role, supervise, to_the_end};
use super::{Counts, Service, ServiceHandle, Setting, unhandled};
use crate::admin::Admin;
use crate::app::App;
use crate::broker::{Broker, Consumer, Publisher, Subscription};
use crate::clock::Clock;
use crate::consume::Consume;
use crate::consume::commit::{Committer, Settled, Work};
use crate::consume::probation::Probation;
use crate::dead_letters::Components;
use crate::due::Due;
use crate::failure::RunError;
use crate::intake::{Arrivals, Intake, Producer};
use crate::marks::{self, Marks, Suspects};
use crate::message::json::ReadBack;
use crate::operator::{self, Desk, Requests};
use crate::queue::Queue;
use crate::relay::Relay;
use crate::start::{Types, catalog, check_found, resolve, schedules, types, wire};
use crate::store::{OpenStore, Opened, OutboxRow, Reader, Recovered, Renames, SharedReader, Store};
use crate::tasks::{Tasks, blocking};
use crate::timer::{Ticks, Timer};
use crate::vitals::Vitals;
use crate::wiring::Wiring;

/// Everything that a service runs on, opened and checked.
struct Ground {
    wiring: Arc<Wiring>,
    broker: Arc<dyn Broker>,
    store: Box<dyn Store>,
    reader: Arc<SharedReader>,
    recovered: Recovered,
    consumer: Box<dyn Consumer>,
    publisher: Box<dyn Publisher>,
    setting: Setting,
    probation: Probation,
    schedules: Vec<Ticks>,
    /// Where the service may keep files of its own.
    directory: Option<PathBuf>,
}

/// More items than any queue between two stages can hold within the limits: passing it is an
/// error in the framework, and no longer a wait.
const QUEUE_MAX: usize = 1 << 20;

/// A service whose app is checked and whose store is open, and that has not joined its broker.
pub(crate) struct Opening {
    wiring: Arc<Wiring>,
    store: Box<dyn Store>,
    reader: Arc<dyn Reader>,
    recovered: Recovered,
    setting: Setting,
    schedules: Vec<Ticks>,
    directory: Option<PathBuf>,
}

impl Opening {
    pub(crate) async fn open(
        app: App,
        store: Box<dyn OpenStore>,
        setting: Setting,
        broker: &dyn Broker,
    ) -> Result<Self, RunError> {
        let mut wiring = wire(&app)?;
        let schedules = schedules(&app)?;
        let Opened { mut store, reader, found, directory } =
            store.open(Arc::clone(&app.name)).await?;
        let catalog = catalog(&wiring);
        let renames = resolve(&app.renames, &catalog)?;
        check_found(&found, &catalog, &renames)?;
        let Types { renamed, renames: types } = types(&found, &wiring, &app.renames, broker)?;
        wiring.renamed = renamed;
        let wiring = Arc::new(wiring);
        let recovered = store.adopt(catalog, Renames { types, ..renames }).await?;
        Ok(Opening { wiring, store, reader, recovered, setting, schedules, directory })
    }

    pub(crate) fn service(&self) -> &Arc<str> {
        &self.wiring.service
    }

    pub(crate) fn recovered(&self) -> &Recovered {
        &self.recovered
    }

    /// Joins the broker, and starts.
    pub(crate) async fn start(self, broker: Arc<dyn Broker>) -> Result<Service, RunError> {
        let Opening { wiring, mut store, reader, mut recovered, setting, schedules, directory } =
            self;
        unhandled::take(&mut *store, &*reader, &wiring, &setting.clock, &mut recovered).await?;
        let consumer = broker.subscribe(subscription(&wiring, &recovered)).await?;
        // A consumer is `Send` alone: to hold a reference to it while waiting, it would have to be
        // `Sync`, or no start could be spawned.
        let starts = consumer.starts();
        pass(&mut *store, starts, &recovered, &setting.clock).await?;
        let publisher = broker.publisher().await?;
        let probation = probation(directory.clone(), &recovered, &setting.clock).await?;
        let reader = Arc::new(SharedReader::new(reader));
        let ground = Ground {
            wiring,
            broker,
            store,
            reader,
            recovered,
            consumer,
            publisher,
            setting,
            probation,
            schedules,
            directory,
        };
        ground.run()
    }
}

impl Service {
    pub(crate) async fn start(
        app: App,
        broker: Arc<dyn Broker>,
        store: Box<dyn OpenStore>,
        setting: Setting,
    ) -> Result<Service, RunError> {
        Opening::open(app, store, setting, &*broker).await?.start(broker).await
    }
}

/// What ran when the process died that had this store open before, if it died.
async fn probation(
    directory: Option<PathBuf>,
    recovered: &Recovered,
    clock: &Clock,
) -> Result<Probation, RunError> {
    let Some(directory) = directory else {
        return Ok(Probation::new(Marks::off(), Suspects::default()));
    };
    let store = recovered.store;
    let open = move || Marks::open(&directory, store, marks::Limits::default());
    let (marks, mut suspects) = blocking(open).await?;
    suspects.drop_done(recovered, clock.now_ms());
    Ok(Probation::new(marks, suspects))
}

/// What ties the parts together.
pub(super) struct Lines {
    pub(super) work: Queue<Work>,
    pub(super) settled: Queue<Settled>,
    /// How many messages are committed and not confirmed by the broker.
    pub(super) open: watch::Sender<usize>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) requests: Requests,
    pub(super) counts: Arc<Counts>,
    pub(super) vitals: Arc<Vitals>,
    pub(super) due: Due,
}

impl Lines {
    /// With so many messages in the outbox.
    fn new(wiring: &Wiring, broker: &Arc<dyn Broker>, unsent: usize) -> Self {
        // What is not limited by the outbox is limited by what is in flight; a record may have
        // many handlers, and each may send many messages.
        Lines {
            work: Queue::new(QUEUE_MAX),
            settled: Queue::new(QUEUE_MAX),
            open: watch::Sender::new(unsent),
            stop: watch::Sender::new(false),
            requests: Queue::new(operator::WAITING_MAX),
            counts: Arc::new(Counts::new(wiring, broker)),
            vitals: Arc::default(),
            due: Due::new(),
        }
    }
}

impl Lines {
    /// The relay, which has not begun.
    fn relay(
        &self,
        service: Arc<str>,
        clock: Clock,
        publisher: Box<dyn Publisher>,
        rows: Queue<Arc<OutboxRow>>,
        stop: watch::Receiver<bool>,
    ) -> Relay {
        Relay {
            service,
            clock,
            vitals: Arc::clone(&self.vitals),
            publisher,
            rows,
            work: self.work.clone(),
            open: self.open.clone(),
            gauge: self.counts.outbox(),
            stop,
        }
    }
}

impl Ground {
    /// Starts the parts.
    fn run(mut self) -> Result<Service, RunError> {
        let unsent = std::mem::take(&mut self.recovered.outbox);
        let unsent_bytes = unsent.iter().map(|row| row.bytes()).sum();
        let lines = Lines::new(&self.wiring, &self.broker, unsent.len());
        let closing = Arc::clone(&self.reader);
        let reader: Arc<dyn Reader> = Arc::clone(&self.reader) as Arc<dyn Reader>;
        let rows = Queue::new(QUEUE_MAX + unsent.len());
        let read_back = Arc::new(ReadBack::new(self.setting.sampling));
        let (limits, coming) = (&self.setting.limits, lines.vitals.coming.clone());
        let producer = Producer::new(limits, Arc::clone(&reader), Arc::clone(&read_back), coming);
        let desk = self.desk(&lines, producer.waiting());
        let end = watch::Sender::new(false);
        lines.vitals.totals.send_replace(self.recovered.totals);
        lines.counts.outbox().begin(unsent.len());
        rows.push(unsent)?;
        let timer = self.timer(&lines);
        let intake = self.intake(&producer, &lines);
        let committer = Committer {
            store: self.store,
            clock: self.setting.clock.clone(),
            work: lines.work.clone(),
            settled: lines.settled.clone(),
            relay: rows.clone(),
            open: lines.open.clone(),
            stop: lines.stop.subscribe(),
            vitals: Arc::clone(&lines.vitals),
            due: lines.due.clone(),
            counts: Arc::clone(&lines.counts),
        };
        lines.vitals.outbox_bytes.add(unsent_bytes);
        let (service, clock) = (Arc::clone(&self.wiring.service), self.setting.clock.clone());
        let relay = lines.relay(service, clock, self.publisher, rows, end.subscribe());
        let name = Arc::clone(&self.wiring.service);
        let consume = Consume::new(Parts {
            wiring: self.wiring,
            consumer: self.consumer,
            reader: Arc::clone(&reader),
            recovered: self.recovered,
            setting: self.setting,
            probation: self.probation,
            read_back,
            lines: &lines,
        });
        let mut tasks = Tasks::new();
        tasks.spawn(async move { (Role::Commit, committer.run().await) });
        tasks.spawn(async move { (Role::Relay, relay.run().await) });
        tasks.spawn(async move { (Role::Consume, consume.run().await) });
        tasks.spawn(async move { (Role::Intake, intake.run().await) });
        tasks.spawn(async move { (Role::Timer, timer.run().await) });

        let Lines { work, open, stop, counts, vitals, requests, due, .. } = lines;
        let mut supervisor = Tasks::new();
        let controls = Controls { stop: stop.clone(), end, work };
        let ending = Ending { vitals: Arc::clone(&vitals), requests, reader: closing };
        let admin = Admin::start(&desk, self.directory.as_deref());
        let (end, ended) = watch::channel(None);
        let parts = to_the_end(supervise(tasks, controls), ending, admin);
        supervisor.spawn(async move { drop(end.send_replace(Some(parts.await))) });
        tracing::info!(target: "endwise::service", service = &*name, "started");
        let open = open.subscribe();
        let handle = ServiceHandle { name, producer, reader, counts, vitals, desk };
        Ok(Service { handle, open, due, stop, ended, _supervisor: supervisor })
    }
}

impl Ground {
    /// Where an operator's questions go.
    fn desk(&self, lines: &Lines, arrivals: Arrivals) -> Arc<Desk> {
        Arc::new(Desk {
            service: Arc::clone(&self.wiring.service),
            clock: self.setting.clock.clone(),
            reader: Arc::clone(&self.reader) as Arc<dyn Reader>,
            components: Components::of(&self.wiring),
            broker: Some(Arc::downgrade(&self.broker)),
            states: self.wiring.state_specs.clone(),
            operate: Arc::new(lines.requests.clone()),
            live: Some(lines.live(arrivals, self.setting.limits.clone())),
        })
    }

    /// The intake, which has not begun.
    fn intake(&self, producer: &Producer, lines: &Lines) -> Intake {
        Intake {
            arrivals: producer.arrivals.clone(),
            work: lines.work.clone(),
            broker: Arc::clone(&self.broker),
            open: lines.open.subscribe(),
            outbox_max: self.setting.limits.outbox_max,
            totals: lines.vitals.totals.subscribe(),
            timers_max: self.setting.limits.timers_max,
            clock: self.setting.clock.clone(),
            vitals: Arc::clone(&lines.vitals),
            drain: self.setting.drain,
            stop: lines.stop.subscribe(),
        }
    }

    /// The timer, which has not begun.
    fn timer(&mut self, lines: &Lines) -> Timer {
        Timer {
            reader: Arc::clone(&self.reader) as Arc<dyn Reader>,
            clock: self.setting.clock.clone(),
            work: lines.work.clone(),
            broker: Arc::clone(&self.broker),
            open: lines.open.subscribe(),
            outbox_max: self.setting.limits.outbox_max,
            due: lines.due.clone(),
            stop: lines.stop.subscribe(),
            schedules: std::mem::take(&mut self.schedules),
        }
    }
}

/// What the service reads, from where its store says.
fn subscription(wiring: &Wiring, recovered: &Recovered) -> Subscription {
    let cursors = recovered.cursors.iter();
    Subscription {
        consumer: Arc::clone(&wiring.service),
        topics: wiring.routes.keys().cloned().collect(),
        cursors: cursors
            .filter(|(id, _)| wiring.routes.contains_key(&id.topic))
            .map(|(id, done)| ((**id).clone(), done.next_missing(0)))
            .collect(),
    }
}
