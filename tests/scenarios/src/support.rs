//! What the scenarios share: a gate to hold handlers at, seeded choices, and waiting for signals.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use framework::prelude::*;
use framework::testing::TestApp;
use tokio::sync::{Semaphore, watch};

/// Holds handlers until the test lets them go on, and knows who is inside.
#[derive(Clone)]
pub(crate) struct Gate {
    inside: Arc<watch::Sender<Inside>>,
    open: Arc<Semaphore>,
}

#[derive(Default)]
struct Inside {
    now: Vec<String>,
    ever: Vec<String>,
    most: usize,
}

impl Gate {
    pub(crate) fn shut() -> Self {
        Gate { inside: Arc::default(), open: Arc::new(Semaphore::new(0)) }
    }

    /// What a handler calls: enters, and leaves once it is let.
    pub(crate) async fn pass(&self, who: impl Into<String>) {
        let who = who.into();
        self.inside.send_modify(|inside| {
            inside.now.push(who.clone());
            inside.ever.push(who.clone());
            inside.most = inside.most.max(inside.now.len());
        });
        self.open.acquire().await.expect("never closed").forget();
        self.inside.send_modify(|inside| {
            let place = inside.now.iter().position(|other| *other == who);
            inside.now.remove(place.expect("it entered"));
        });
    }

    /// Waits until that many are inside; who they are.
    pub(crate) async fn filled(&self, count: usize) -> Vec<String> {
        let mut inside = self.inside.subscribe();
        let wait = inside.wait_for(|inside| inside.now.len() >= count);
        let found = in_time(wait).await.expect("the gate lives");
        let mut now = found.now.clone();
        now.sort();
        now
    }

    /// Waits until that many have entered; who they were, in order.
    pub(crate) async fn entered(&self, count: usize) -> Vec<String> {
        let mut inside = self.inside.subscribe();
        let wait = inside.wait_for(|inside| inside.ever.len() >= count);
        in_time(wait).await.expect("the gate lives").ever.clone()
    }

    /// Lets as many through.
    pub(crate) fn release(&self, count: usize) {
        self.open.add_permits(count);
    }

    /// Lets everybody through from here on.
    pub(crate) fn open(&self) {
        self.release(Semaphore::MAX_PERMITS >> 1);
    }

    /// How many were ever inside together.
    pub(crate) fn most(&self) -> usize {
        self.inside.borrow().most
    }
}

/// Waits for what must come. On paused time the limit passes only when nothing can happen any
/// more, so what hangs fails at once.
pub(crate) async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(3600), future).await.expect("it would wait for ever")
}

/// Moves the time, and lets the service look at it.
pub(crate) async fn pass(time: Duration) {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    tokio::time::advance(time).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Lets other tasks run until something is so.
pub(crate) async fn until(what: impl Fn() -> bool) {
    for _ in 0..100_000 {
        if what() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it does not come about");
}

/// Why a service stops of itself.
pub(crate) async fn failure(app: &mut TestApp) -> RunError {
    in_time(app.settle()).await.expect_err("the service stops")
}

/// Numbers that follow from a seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed)
    }

    /// A number below `below`.
    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

/// Runs a test for many seeds, each on a runtime of its own, or for the one that `ENDWISE_SEED`
/// names.
pub(crate) fn for_seeds<F: Future<Output = anyhow::Result<()>>>(
    count: u64,
    test: impl Fn(u64) -> F,
) {
    let chosen = std::env::var("ENDWISE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = chosen.map_or(0..count, |seed: u64| seed..seed + 1);
    for seed in seeds {
        let replay = Replay(seed);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(test(seed)).expect("no error");
        drop(replay);
    }
}

/// Says how to replay a seed that failed.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let name = std::thread::current().name().unwrap_or("test").to_owned();
            eprintln!(
                "replay with: ENDWISE_SEED={} cargo test -p endwise-test-scenarios {name}",
                self.0
            );
        }
    }
}

/// Where a subscriber writes.
type Writer = Box<dyn Fn() -> Trail + Send + Sync>;

/// Everything that is traced on this thread.
#[derive(Clone, Default)]
pub(crate) struct Trail(Arc<std::sync::Mutex<Vec<u8>>>);

impl Trail {
    /// Records until the guard is dropped.
    pub(crate) fn record() -> (Trail, tracing::subscriber::DefaultGuard) {
        Trail::record_with(|writer| {
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .without_time()
                .with_ansi(false)
                .with_writer(writer)
                .finish()
                .into()
        })
    }

    /// Records what a program prints that calls `tracing_subscriber::fmt().init()`.
    pub(crate) fn record_as_printed() -> (Trail, tracing::subscriber::DefaultGuard) {
        Trail::record_with(|writer| {
            tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish().into()
        })
    }

    fn record_with(
        subscriber: impl FnOnce(Writer) -> tracing::Dispatch,
    ) -> (Trail, tracing::subscriber::DefaultGuard) {
        // While there is only one subscriber, what another thread without one meets first is
        // switched off for all threads (tokio-rs/tracing#3611). A second one, which never goes,
        // prevents that.
        static SECOND: OnceLock<tracing::Dispatch> = OnceLock::new();
        SECOND.get_or_init(|| {
            let all = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
            all.with_writer(std::io::sink).finish().into()
        });
        let trail = Trail::default();
        let writer = trail.clone();
        let dispatch = subscriber(Box::new(move || writer.clone()));
        (trail, tracing::dispatcher::set_default(&dispatch))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).expect("text")
    }
}

impl std::io::Write for Trail {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
