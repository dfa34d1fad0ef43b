use framework::prelude::*;
use framework::status::Reason;
use framework::{Config, Running};

use crate::support::in_time;

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "deposits", key = account)]
struct Deposit {
    account: String,
    pad: String,
}

#[handler]
async fn deposit(_: Deposit) {}

#[handler]
async fn audit(_: Deposit) {}

fn of(account: u64) -> Deposit {
    Deposit { account: account.to_string(), pad: "x".repeat(50_000) }
}

#[tokio::test]
async fn from_four_fifths_on_and_sends_go_on_once_it_is_forgotten() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let config = || {
        let mut config = Config::from(home.path());
        config.broker.embedded.segment_bytes = 256 << 10;
        config.broker.embedded.disk_bytes_max = 2 << 20;
        config
    };
    let bank = || App::new("bank").handlers(handlers![deposit]);
    let both = [bank(), App::new("audit").handlers(handlers![audit])];
    Running::start(config(), both).await?.stop().await?;
    let running = Running::start(config(), [bank()]).await?;
    let service = running.service("bank").expect("it runs");
    let producer = service.producer();
    let mut sent = 0;
    while service.ready().broker_waits_for.is_empty() {
        in_time(producer.send(of(sent))).await?;
        sent += 1;
    }
    let ready = service.ready();
    assert!(ready.is_ready(), "it takes messages in still: {ready}");
    assert!(
        ready.to_string().contains("\"audit\"") && ready.to_string().contains("does not run"),
        "{ready}"
    );
    assert_eq!(service.status().await?.broker_waits_for.len(), 1);
    // More than fits: those beyond it wait.
    let rest: Vec<_> = (0..40).map(|n| producer.send(of(n))).collect();
    while !service.ready().reasons.contains(&Reason::BrokerFull) {
        tokio::task::yield_now().await;
    }
    assert!(running.forget_consumer("audit").await? > 0);
    for send in rest {
        in_time(send).await?;
    }
    running.settle().await?;
    let ready = running.services()[0].ready();
    assert!(ready.is_ready() && ready.broker_waits_for.is_empty(), "{ready}");
    running.stop().await?;
    Ok(())
}
