use std::collections::BTreeMap;
use std::time::Duration;

use framework::dead_letters::Filter;
use framework::prelude::*;
use framework::testing::TestApp;
use serde_json::Value;

use crate::support::in_time;

/// What is to be made of the state, and what is to be sent.
#[derive(Clone, Debug, Message, Serialize, Deserialize)]
#[message(topic = "made", key = key)]
struct Make {
    key: String,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum What {
    Good,
    Number,
    SmallNumber,
    Depth,
    Key,
    Flat,
    Skipped,
    Untagged,
    Variant,
}

const BAD: [What; 8] = [
    What::Number,
    What::SmallNumber,
    What::Depth,
    What::Key,
    What::Flat,
    What::Skipped,
    What::Untagged,
    What::Variant,
];

impl What {
    /// What an error of it names.
    fn named(self) -> &'static str {
        match self {
            What::Good => "",
            What::Number => "field `numbers.mean`: NaN is no number in JSON",
            What::SmallNumber => "field `list[1]`: inf is no number in JSON",
            What::Depth => "field `root[0]",
            What::Key => "field `keyed.0.5`: a floating-point number cannot be a key",
            What::Flat => "field `flat.last`: an integer of 128 bits",
            What::Skipped => "missing field `_hidden`",
            What::Untagged => "did not match any variant",
            What::Variant => "field `untagged",
        }
    }
}

/// A value with all that can go wrong.
#[derive(Default, Serialize, Deserialize)]
struct Risky {
    count: u32,
    numbers: BTreeMap<String, f64>,
    list: Vec<f32>,
    root: Value,
    #[serde(default, skip_serializing_if = "Keyed::is_empty")]
    keyed: Keyed,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    flat: Option<Flat>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    skipped: Option<Skipped>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    untagged: Option<Untagged>,
}

#[derive(Default)]
struct Keyed(Vec<(f64, u32)>);

impl Keyed {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Keyed {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'de> Deserialize<'de> for Keyed {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        BTreeMap::<String, u32>::deserialize(from).map(|_| Keyed::default())
    }
}

#[derive(Serialize, Deserialize)]
struct Flat {
    n: u32,
    #[serde(flatten)]
    ids: Ids,
}

#[derive(Serialize, Deserialize)]
struct Ids {
    last: u128,
}

#[derive(Serialize, Deserialize)]
struct Skipped {
    #[serde(skip_serializing)]
    _hidden: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Mean {
        mean: f64,
    },
    #[serde(skip_deserializing)]
    WriteOnly(u8),
}

impl Risky {
    fn make(&mut self, what: What) {
        self.count += 1;
        match what {
            What::Good => {}
            What::Number => drop(self.numbers.insert("mean".into(), f64::NAN)),
            What::SmallNumber => self.list = vec![1.5, f32::INFINITY],
            What::Depth => {
                for _ in 0..127 {
                    self.root = Value::Array(vec![std::mem::take(&mut self.root)]);
                }
            }
            What::Key => self.keyed.0.push((0.5, 1)),
            What::Flat => self.flat = Some(Flat { n: 1, ids: Ids { last: 1 << 70 } }),
            What::Skipped => self.skipped = Some(Skipped { _hidden: 1 }),
            What::Untagged => self.untagged = Some(Untagged::WriteOnly(1)),
            What::Variant => self.untagged = Some(Untagged::Mean { mean: f64::NEG_INFINITY }),
        }
    }
}

#[derive(State, Default, Serialize, Deserialize)]
struct Kept(Risky);

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "risks", key = key)]
struct Risk {
    key: String,
    #[serde(flatten)]
    risky: Risky,
}

fn risk(what: What) -> Risk {
    let mut risk = Risk { key: "a".into(), risky: Risky::default() };
    risk.risky.make(what);
    risk
}

#[handler]
async fn keep(cmd: Make, kept: &mut Kept) {
    kept.0.make(cmd.what);
}

#[handler]
async fn give(cmd: Make) -> Outgoing<Risk> {
    risk(cmd.what).to("given")
}

#[handler]
async fn delay(cmd: Make) -> Outgoing<Risk> {
    risk(cmd.what).delay(Duration::from_secs(1)).to("delayed")
}

#[handler]
async fn push(cmd: Make, outbox: &mut Outbox) {
    outbox.send(risk(cmd.what).to("pushed"));
}

fn make(what: What) -> Make {
    Make { key: "a".into(), what }
}

/// What one handler makes of each kind: the state stays as it was, nothing is sent, the message is a
/// dead letter at its first attempt, and the key's next message is handled once that is gone.
async fn refused_by(handlers: fn() -> Handlers, topic: &str) -> anyhow::Result<()> {
    let mut app = TestApp::start(App::new("lab").handlers(handlers())).await?;
    app.publish(make(What::Good)).await?;
    for what in BAD {
        app.publish(make(what)).await?;
        in_time(app.settle()).await?;
        let letters = app.dead_letters().list(&Filter::new()).await?.items;
        let [letter] = letters.as_slice() else { panic!("{what:?}: {letters:?}") };
        assert_eq!(letter.attempts, 1, "{what:?} is not tried again: {}", letter.error);
        assert!(letter.error.contains(what.named()), "{what:?}: {}", letter.error);
        let type_name = if topic.is_empty() { "Kept" } else { "Risk" };
        assert!(letter.error.contains(&format!("`{type_name}`")), "{}", letter.error);
        app.dead_letters().discard(vec![letter.number]).await?;
    }
    app.publish(make(What::Good)).await?;
    in_time(app.advance(Duration::from_secs(2))).await?;
    if topic.is_empty() {
        let kept = app.state::<Kept>("a").await?.expect("it has one");
        assert_eq!((kept.0.count, kept.0.numbers.len()), (2, 0));
    } else {
        assert_eq!(app.broker().published(topic).len(), 2);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn in_a_state() -> anyhow::Result<()> {
    refused_by(|| handlers![keep], "").await
}

#[tokio::test(start_paused = true)]
async fn in_a_message_that_is_returned() -> anyhow::Result<()> {
    refused_by(|| handlers![give], "given").await
}

#[tokio::test(start_paused = true)]
async fn in_a_message_that_is_delayed() -> anyhow::Result<()> {
    refused_by(|| handlers![delay], "delayed").await
}

#[tokio::test(start_paused = true)]
async fn in_a_message_from_an_outbox() -> anyhow::Result<()> {
    refused_by(|| handlers![push], "pushed").await
}

#[tokio::test(start_paused = true)]
async fn by_each_way_in() -> anyhow::Result<()> {
    let app = TestApp::start(App::new("lab").handlers(handlers![keep])).await?;
    let producer = app.service().producer();
    for what in BAD {
        // Under `flatten` serde reads less, and says less.
        let named = match what {
            What::Untagged | What::Skipped => "`Risk`",
            _ => what.named().trim_start_matches("field `"),
        };
        let stream = futures::stream::iter([(7, risk(what))]);
        for error in [
            producer.send(risk(what)).await.unwrap_err(),
            producer.send_from("file", 7, risk(what)).await.unwrap_err(),
            producer.send_all_from("file", stream).await.unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(error.contains("`Risk`") && error.contains(named), "{what:?}: {error}");
        }
    }
    assert_eq!(producer.sent_from("file").await?, 0);
    assert!(app.broker().published("risks").is_empty());

    let app = App::new("lab").every("0 0 * * *", risk(What::Number)).handlers(handlers![keep]);
    let error = TestApp::start(app).await.unwrap_err().to_string();
    assert!(error.contains("`Risk`") && error.contains("NaN"), "{error}");
    Ok(())
}

/// A default that JSON lacks is a usual beginning: what is stored counts.
#[derive(Debug, PartialEq, State, Serialize, Deserialize)]
struct Extremes {
    lowest: f64,
    highest: f64,
}

impl Default for Extremes {
    fn default() -> Self {
        Extremes { lowest: f64::INFINITY, highest: f64::NEG_INFINITY }
    }
}

#[derive(Message, Serialize, Deserialize)]
#[message(key = key)]
struct Seen {
    key: String,
    number: Option<f64>,
}

#[handler]
async fn seen(event: Seen, extremes: &mut Extremes) {
    if let Some(number) = event.number {
        extremes.lowest = extremes.lowest.min(number);
        extremes.highest = extremes.highest.max(number);
    }
}

#[tokio::test(start_paused = true)]
async fn a_default_without_json_may_be_left_alone_and_changed() -> anyhow::Result<()> {
    let mut app = TestApp::start(App::new("lab").handlers(handlers![seen])).await?;
    for (key, number) in [("a", None), ("a", Some(2.5)), ("b", None)] {
        app.publish(Seen { key: key.into(), number }).await?;
    }
    in_time(app.settle()).await?;
    assert_eq!(app.dead_letters().count(&Filter::new()).await?, 0);
    let found = app.state::<Extremes>("a").await?;
    assert_eq!(found, Some(Extremes { lowest: 2.5, highest: 2.5 }));
    assert_eq!(app.state::<Extremes>("b").await?, None);
    Ok(())
}
