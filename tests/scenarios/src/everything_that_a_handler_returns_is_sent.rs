use framework::broker::memory::MemoryBroker;
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;

use crate::support::in_time;

#[derive(Clone, Message, Serialize, Deserialize)]
#[message(topic = "orders", key = id)]
struct Order {
    id: String,
    step: u64,
}

#[derive(Debug, PartialEq, Message, Serialize, Deserialize)]
#[message(topic = "said", key = id)]
struct Said {
    id: String,
    what: String,
}

/// A process with a life cycle: it starts with step 1 and ends with step 3.
#[derive(Debug, State, Serialize, Deserialize)]
#[state(name = "process")]
struct Process {
    steps: Vec<u64>,
}

type Sent = (Option<Said>, Vec<Said>, Outgoing<Said>);

#[handler]
async fn order(
    order: Order,
    attempt: Attempt,
    id: MessageId,
    headers: Headers,
    process: &mut Option<Process>,
    outbox: &mut Outbox,
) -> Result<Sent> {
    let say = |what: String| Said { id: order.id.clone(), what };
    outbox.send(say(format!("outbox {}", attempt.0)));
    let running = process.get_or_insert_with(|| Process { steps: Vec::new() });
    running.steps.push(order.step);
    let steps = format!("{:?}", running.steps);
    if order.step == 3 {
        process.take();
    }
    let some = (order.step == 1).then(|| say("some".into()));
    let tenant = headers.get("tenant").unwrap_or("none");
    let apart = say(format!("{id} {tenant}")).to("apart").header("re", &order.step.to_string());
    Ok((some, vec![say(steps), say("second".into())], apart))
}

fn texts(said: impl IntoIterator<Item = Said>) -> Vec<String> {
    said.into_iter().map(|said| said.what).collect()
}

#[tokio::test(start_paused = true)]
async fn everything_that_a_handler_returns_is_sent() -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::default(), MemoryStore::new(1));
    let app = || App::new("shop").handlers(handlers![order]);
    let step = |step| Order { id: "o".into(), step }.header("tenant", "north");
    let mut shop = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
    shop.publish(step(1)).await?;
    in_time(shop.settle()).await?;
    assert_eq!(texts(shop.published::<Said>()?), ["outbox 1", "some", "[1]", "second"]);
    let apart = broker.published("apart").remove(0);
    assert_eq!(apart.headers.get("re"), Some("1"));
    let said: Said = serde_json::from_slice(&apart.body)?;
    assert!(said.what.starts_with("shop/") && said.what.ends_with("#1 north"), "{said:?}");
    shop.stop().await?;

    let mut shop = TestApp::start_on(app(), broker.clone(), store).await?;
    shop.publish(step(2)).await?;
    in_time(shop.settle()).await?;
    assert_eq!(shop.state::<Process>("o").await?.unwrap().steps, [1, 2], "it lives on");
    shop.publish(step(3)).await?;
    in_time(shop.settle()).await?;
    assert!(shop.state::<Process>("o").await?.is_none(), "it has ended");
    shop.publish(step(4)).await?;
    in_time(shop.settle()).await?;
    assert_eq!(shop.state::<Process>("o").await?.unwrap().steps, [4], "and starts anew");
    assert_eq!(texts(shop.published::<Said>()?)[4..6], ["outbox 1", "[1, 2]"]);
    assert_eq!(broker.published("apart").len(), 4);
    Ok(())
}
