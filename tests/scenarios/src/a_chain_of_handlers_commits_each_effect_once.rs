use framework::testing::TestApp;

use crate::bank::{Account, Audit, Deposited, app, deposit_of};

#[tokio::test(start_paused = true)]
async fn a_chain_of_handlers_commits_each_effect_once() -> anyhow::Result<()> {
    let mut bank = TestApp::start(app()).await?;
    for n in 0..200 {
        bank.publish(deposit_of(&format!("a{}", n % 7), n)).await?;
    }
    bank.settle().await?;

    for account in 0..7 {
        let key = format!("a{account}");
        let sent: Vec<i64> = (0..200).filter(|n| n % 7 == account).collect();
        let state: Account = bank.state(&key).await?.unwrap();
        assert_eq!(state.history, sent, "each once and in order");
        let sums = sent.iter().scan(0, |sum, cents| {
            *sum += cents;
            Some(*sum)
        });
        assert_eq!(bank.state::<Audit>(&key).await?.unwrap().balances, sums.collect::<Vec<_>>());
    }
    assert_eq!(bank.published::<Deposited>()?.len(), 200);
    let handled: Vec<_> = bank.service().counts().handled().collect();
    assert_eq!(handled, [("deposit", 200), ("audit", 200)]);
    bank.stop().await?;
    Ok(())
}
