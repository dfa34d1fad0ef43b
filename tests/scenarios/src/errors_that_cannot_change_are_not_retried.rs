use framework::Limits;
use framework::dead_letters::Filter;
use framework::prelude::*;
use framework::testing::TestApp;

use crate::support::in_time;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Over {
    Body,
    ServicesBody,
    Headers,
    Key,
    ReservedHeader,
    ReservedInUpperCase,
    Name,
    State,
    FanOut,
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "orders", key = key)]
struct Order {
    key: u32,
    over: Over,
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "parts", key = key)]
struct Part {
    key: String,
    text: String,
}

#[derive(State, Default, Serialize, Deserialize)]
struct Notes {
    text: String,
}

#[handler(retry(attempts = 5, min = "1s", max = "1s"))]
async fn order(cmd: Order, notes: &mut Notes, outbox: &mut Outbox) {
    let part = |bytes| Part { key: "a".into(), text: "x".repeat(bytes) };
    match cmd.over {
        Over::Body => outbox.send(part(2 << 20)),
        Over::ServicesBody => outbox.send(part(1_000_000)),
        Over::Headers => (0..65).fold(Outgoing::new(part(1)), header).send_into(outbox),
        Over::Key => outbox.send(Part { key: "k".repeat(401), ..part(1) }),
        Over::ReservedHeader => outbox.send(part(1).header("ce_mine", "1")),
        Over::ReservedInUpperCase => outbox.send(part(1).header("CE-Type", "1")),
        Over::Name => outbox.send(part(1).named("n".repeat(401))),
        Over::State => notes.text = "x".repeat(2 << 20),
        Over::FanOut => (0..700).for_each(|_| outbox.send(part(100_000))),
    }
}

fn header(part: Outgoing<Part>, number: u32) -> Outgoing<Part> {
    part.header(&format!("h{number}"), "1")
}

trait SendInto {
    fn send_into(self, outbox: &mut Outbox);
}

impl SendInto for Outgoing<Part> {
    fn send_into(self, outbox: &mut Outbox) {
        outbox.send(self);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_a_state_or_a_fan_out_over_a_limit() -> anyhow::Result<()> {
    let overs = [
        Over::Body,
        Over::ServicesBody,
        Over::Headers,
        Over::Key,
        Over::ReservedHeader,
        Over::ReservedInUpperCase,
        Over::Name,
        Over::State,
        Over::FanOut,
    ];
    let limits = Limits { payload_bytes_max: 500_000, ..Limits::default() };
    let app = App::new("shop").handlers(handlers![order]);
    let mut app = TestApp::start_within(app, limits).await?;
    for (key, over) in (0..).zip(overs) {
        app.publish(Order { key, over }).await?;
    }
    in_time(app.settle()).await?;
    let letters = app.dead_letters().list(&Filter::new()).await?.items;
    assert_eq!(letters.len(), overs.len());
    for letter in letters {
        assert_eq!(letter.attempts, 1, "{}", letter.error);
    }
    assert_eq!(app.service().counts().retried().map(|(_, count)| count).sum::<u64>(), 0);
    Ok(())
}
