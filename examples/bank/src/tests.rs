//! The bank in memory: no broker, no disk, no waiting.

use framework::dead_letters::Filter;
use framework::testing::TestApp;

use super::*;

type Test = std::result::Result<(), Box<dyn std::error::Error>>;

fn withdrawal(cents: i64) -> Withdraw {
    Withdraw { account: "ada".into(), cents }
}

fn refused(cents: i64) -> Refused {
    Refused { account: "ada".into(), cents }
}

#[tokio::test]
async fn a_withdrawal_is_refused_above_the_balance_and_above_the_limit() {
    let (mut account, limits) = (Account { cents: 500 }, Limits { withdrawal_cents_max: 400 });
    for cents in [401, 501] {
        let answer = withdraw(withdrawal(cents), &mut account, &limits).await;
        assert_eq!(answer, (None, Some(refused(cents))));
    }
    assert_eq!(account.cents, 500);
}

#[tokio::test]
async fn a_deposit_of_nothing_fails_for_good() {
    let nothing = Deposit::new("ada".into(), 0, "EUR");
    let error = deposit(nothing, &mut Account::default(), &FixedRates).await.unwrap_err();
    assert!(error.is_permanent());
}

#[tokio::test(start_paused = true)]
async fn handlers_share_an_account_and_take_its_messages_in_order() -> Test {
    let mut bank = TestApp::start(app()).await?;
    bank.publish(Deposit::new("ada".into(), 5, "USD")).await?;
    bank.publish(withdrawal(450)).await?;
    bank.publish(withdrawal(1)).await?;
    bank.settle().await?;

    assert_eq!(bank.state::<Account>("ada").await?.map(|account| account.cents), Some(0));
    assert_eq!(bank.published::<Refused>()?, [refused(1)]);
    let balances: Vec<i64> = bank.published::<Paid>()?.iter().map(|paid| paid.balance).collect();
    assert_eq!(balances, [450, 0]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_payroll_pays_every_salary() -> Test {
    let mut bank = TestApp::start(app()).await?;
    bank.publish(Payroll { salaries: vec![("ada".into(), 30), ("grace".into(), 40)] }).await?;
    bank.settle().await?;
    for (name, cents) in [("ada", 3_000), ("grace", 4_000)] {
        assert_eq!(bank.state::<Account>(name).await?.map(|account| account.cents), Some(cents));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_closed_account_is_gone() -> Test {
    let mut bank = TestApp::start(app()).await?;
    bank.publish(Deposit::new("ada".into(), 1, "EUR")).await?;
    for _ in 0..2 {
        bank.publish(Close { account: "ada".into() }).await?;
    }
    bank.settle().await?;
    assert!(bank.state::<Account>("ada").await?.is_none());
    assert_eq!(bank.published::<Closed>()?, [Closed { account: "ada".into(), paid_out: 100 }]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_reminder_comes_a_minute_after_the_last_deposit() -> Test {
    let mut bank = TestApp::start(app()).await?;
    for _ in 0..2 {
        bank.publish(Deposit::new("ada".into(), 1, "EUR")).await?;
        bank.settle().await?;
        bank.advance(Duration::from_secs(40)).await?;
        assert_eq!(bank.published::<Reminder>()?, []);
    }
    bank.advance(Duration::from_secs(20)).await?;
    assert_eq!(bank.published::<Reminder>()?, [Reminder { account: "ada".into() }]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nobody_is_reminded_of_a_closed_account() -> Test {
    let mut bank = TestApp::start(app()).await?;
    bank.publish(Deposit::new("ada".into(), 1, "EUR")).await?;
    bank.publish(Close { account: "ada".into() }).await?;
    bank.settle().await?;
    assert_eq!(bank.service().status().await?.timers.count, 0);
    Ok(())
}

/// Provided again, a dependency takes the place of what `app` provides.
#[tokio::test(start_paused = true)]
async fn a_test_overrides_a_dependency() -> Test {
    let strict = app().provide(Limits { withdrawal_cents_max: 10 });
    let mut bank = TestApp::start(strict).await?;
    bank.publish(Deposit::new("ada".into(), 1, "EUR")).await?;
    bank.publish(withdrawal(11)).await?;
    bank.settle().await?;
    assert_eq!(bank.published::<Refused>()?, [refused(11)]);
    Ok(())
}

/// Rates that nobody answers for.
struct SilentRates;

#[async_trait::async_trait]
impl Rates for SilentRates {
    async fn cents_of(&self, _: &str) -> std::result::Result<i64, rates::UnknownCurrency> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn rates_that_do_not_answer_are_not_waited_for() -> Test {
    let app = app().provide_arc::<dyn Rates>(Arc::new(SilentRates));
    let mut bank = TestApp::start(app).await?;
    bank.publish(Deposit::new("ada".into(), 1, "EUR")).await?;
    bank.settle().await?;
    let given_up = bank.dead_letters().list(&Filter::new().handler("deposit")).await?.items;
    let attempts: Vec<u32> = given_up.iter().map(|letter| letter.attempts).collect();
    assert_eq!(attempts, [10], "it was tried again and again");
    Ok(())
}
