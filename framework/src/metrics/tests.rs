use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder};
use metrics::{SharedString, Unit};

use crate::prelude::*;
use crate::testing::TestApp;

/// Keeps what it is told: counts and gauges by name and labels, of a histogram how often.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<BTreeMap<String, Arc<AtomicU64>>>>);

struct Times(Arc<AtomicU64>);

impl HistogramFn for Times {
    fn record(&self, _: f64) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Heard {
    fn place(&self, name: String) -> Arc<AtomicU64> {
        Arc::clone(self.0.lock().unwrap().entry(name).or_default())
    }

    fn of(&self, key: &Key) -> Arc<AtomicU64> {
        let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value()));
        self.place(key.name().to_owned() + &labels.collect::<String>())
    }

    fn count(&self, name: &str) -> u64 {
        self.place(name.into()).load(Ordering::Relaxed)
    }

    fn gauge(&self, name: &str) -> f64 {
        f64::from_bits(self.count(name))
    }
}

impl Recorder for Heard {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.of(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.of(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Times(self.of(key))))
    }
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "pings", key = to)]
struct Ping {
    to: String,
    fails: u32,
}

#[handler(retry(attempts = 3, min = "1s", max = "1s"))]
fn ping(cmd: Ping, attempt: Attempt) -> Result<()> {
    if attempt.0 <= cmd.fails { Err("not yet".into()) } else { Ok(()) }
}

#[tokio::test(start_paused = true)]
async fn a_recorder_hears_what_becomes_of_messages() {
    let heard = Heard::default();
    let _guard = metrics::set_default_local_recorder(&heard);
    let mut app = TestApp::start(App::new("post").handlers(handlers![ping])).await.unwrap();
    for (to, fails) in [("ada", 0), ("ada", 2), ("bob", 9), ("bob", 0), ("bob", 0)] {
        app.publish(Ping { to: to.into(), fails }).await.unwrap();
    }
    app.settle().await.unwrap();
    app.stop().await.unwrap();

    for (name, count) in [
        ("endwise_accepted_total service=post", 5),
        ("endwise_fetched_total service=post", 5),
        ("endwise_duplicates_total service=post", 0),
        ("endwise_handled_total service=post handler=ping", 2),
        ("endwise_retried_total service=post handler=ping", 4),
        ("endwise_dead_total service=post handler=ping", 1),
        ("endwise_held_total service=post", 2),
    ] {
        assert_eq!(heard.count(name), count, "{name}");
    }
    for (name, now) in [
        ("endwise_in_flight service=post", 0.0),
        ("endwise_outbox service=post", 0.0),
        ("endwise_lag service=post", 0.0),
        ("endwise_dead_letters service=post", 1.0),
        ("endwise_holds service=post", 2.0),
    ] {
        assert_eq!(heard.gauge(name), now, "{name}");
    }
    assert!(heard.count("endwise_sync_seconds service=post") > 0);
}

fn sources(dir: &Path, text: &mut String) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else {
            *text += &std::fs::read_to_string(&path).unwrap();
        }
    }
}

#[test]
fn the_guide_lists_every_metric_and_every_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_to_string(root.join("../docs/guide/observe.md")).unwrap();
    let metrics = super::COUNTS.iter().chain(&super::GAUGES).map(|(name, _)| *name);
    for name in metrics.chain([super::SYNC]) {
        assert!(guide.contains(&format!("| `{name}`")), "{name} is missing");
    }
    let mut text = String::new();
    sources(&root.join("src"), &mut text);
    let targets = text.split("target: \"").skip(1).filter_map(|rest| rest.split('"').next());
    for target in targets.filter(|target| !target.contains('\\')) {
        assert!(guide.contains(&format!("`{target}`")), "{target} is missing");
    }
}
