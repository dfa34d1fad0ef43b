use framework::prelude::*;
use framework::testing::TestApp;

use crate::bank::{Deposit, deposit_of};
use crate::support::{Trail, in_time};

#[handler]
async fn says(cmd: Deposit) {
    tracing::info!(cents = cmd.cents, "before");
    tokio::task::yield_now().await;
    tracing::info!("after");
}

#[tokio::test(start_paused = true)]
async fn trace_makes_a_span_for_each_delivery() -> anyhow::Result<()> {
    let (trail, _guard) = Trail::record();
    let app = App::new("bank").layer(Trace::new()).handlers(handlers![says]);
    let mut bank = TestApp::start(app).await?;
    bank.publish(deposit_of("a", 5)).await?;
    in_time(bank.settle()).await?;
    let text = trail.text();
    let position = "bank/0000000000000001/0/deposits/31#1";
    let span = format!("delivery{{handler=\"says\" position={position} key=\"a\" attempt=1}}");
    for said in ["before cents=5", "after"] {
        let line = text.lines().find(|line| line.ends_with(said)).expect("it was said");
        assert!(line.contains(&span), "{line}");
    }
    Ok(())
}
