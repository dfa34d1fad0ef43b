//! Not so yet: a stop handles all that was fetched, for as long as it may drain. Issue 9, which
//! rebuilds the consume loop, makes it right; then `should_panic` goes.

use std::future::pending;
use std::time::Duration;

use framework::prelude::*;
use framework::testing::TestApp;
use futures::future::try_join_all;
use tokio::time::{Instant, timeout};

use crate::bank::{Account, Deposit, deposit_of};
use crate::support::{in_time, until};

const CALL: Duration = Duration::from_millis(100);

#[handler]
async fn slow(cmd: Deposit, account: &mut Account) {
    // A slow call.
    let _ = timeout(CALL, pending::<()>()).await;
    account.balance += cmd.cents;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the whole time to drain")]
async fn a_backlog_of_one_key_does_not_hold_it_up() {
    let bank = TestApp::start(App::new("bank").handlers(handlers![slow])).await.unwrap();
    let service = bank.service().handle();
    let sends = (0..1_000).map(|cents| bank.publish(deposit_of("a", cents)));
    in_time(try_join_all(sends)).await.unwrap();
    until(|| service.counts().fetched() == 1_000).await;
    let begun = Instant::now();
    in_time(bank.stop()).await.unwrap();
    let took = begun.elapsed();
    assert!(took <= 2 * CALL, "it took {took:?}: the whole time to drain");
}
