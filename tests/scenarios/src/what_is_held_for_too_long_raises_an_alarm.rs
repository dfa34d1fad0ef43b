use std::time::Duration;

use framework::Limits;
use framework::prelude::*;
use framework::testing::TestApp;

use crate::bank::{deposit, deposit_of};
use crate::support::{Trail, in_time, pass};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn what_is_held_for_too_long_raises_an_alarm() -> anyhow::Result<()> {
    let (trail, _guard) = Trail::record();
    let limits = Limits { holds_age_max: 60 * MINUTE, followers_max: 0, ..Default::default() };
    let app = App::new("bank").handlers(handlers![deposit]);
    let mut bank = TestApp::start_within(app, limits).await?;
    bank.publish(deposit_of("a", -1)).await?;
    in_time(bank.settle()).await?;
    bank.publish(deposit_of("a", 1)).await?;
    in_time(bank.settle()).await?;
    let alarms = || {
        let text = trail.text();
        text.lines().filter(|line| line.contains("is held for so long")).count()
    };

    pass(59 * MINUTE).await;
    assert_eq!(alarms(), 0);
    pass(2 * MINUTE).await;
    assert_eq!(alarms(), 1);
    pass(59 * MINUTE).await;
    assert_eq!(alarms(), 1, "once each time that it is too long");
    pass(2 * MINUTE).await;
    assert_eq!(alarms(), 2);

    // Whoever lets it go on ends the alarm.
    bank.dead_letters().discard(vec![1]).await?;
    in_time(bank.settle()).await?;
    pass(120 * MINUTE).await;
    assert_eq!(alarms(), 2);
    Ok(())
}
