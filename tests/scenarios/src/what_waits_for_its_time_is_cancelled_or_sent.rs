use std::time::Duration;

use framework::prelude::*;
use framework::testing::TestApp;
use framework::timers::TimerFilter;

use crate::bank::{Account, Deposit, deposit_of};
use crate::support::{for_seeds, in_time};

const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "plans", key = account)]
struct Plan {
    account: String,
    cents: i64,
}

#[handler]
fn planned(cmd: Plan) -> Outgoing<Deposit> {
    deposit_of(&cmd.account, cmd.cents).delay(HOUR).named("planned")
}

#[handler]
fn booked(cmd: Deposit, account: &mut Account) {
    account.history.push(cmd.cents);
}

fn app() -> App {
    App::new("bank").handlers(handlers![planned, booked])
}

async fn history(bank: &TestApp, key: &str) -> anyhow::Result<Vec<i64>> {
    Ok(bank.state::<Account>(key).await?.map(|state| state.history).unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_listed_and_cancelled_by_number_or_filter() -> anyhow::Result<()> {
    let mut bank = TestApp::start(app()).await?;
    bank.publish(Plan { account: "ada".into(), cents: 1 }).await?;
    for cents in 2..=6 {
        let delay = HOUR * u32::try_from(cents)?;
        bank.publish(deposit_of("bob", cents).delay(delay)).await?;
    }
    bank.settle().await?;
    let timers = bank.service().timers();
    let listed = timers.list(&TimerFilter::new()).await?.items;
    let handlers: Vec<_> = listed.iter().map(|timer| timer.handler.as_deref()).collect();
    assert_eq!(handlers, [Some("planned"), None, None, None, None, None]);
    assert_eq!((listed[0].name.as_deref(), &*listed[0].topic), (Some("planned"), "deposits"));
    assert!(listed.is_sorted_by_key(|timer| timer.due_ms));

    let bobs = || TimerFilter::new().key("bob").type_name("Deposit");
    let page = timers.list(&bobs().limit(2)).await?;
    let rest = timers.list(&bobs().after(page.next.unwrap())).await?;
    assert_eq!((page.items.len(), rest.items.len(), rest.next), (2, 3, None));
    let soon = bobs().until_ms(rest.items[0].due_ms);
    assert_eq!((timers.count(&soon).await?, timers.count(&bobs()).await?), (2, 5));
    for none in [bobs().topic("plans"), bobs().name("planned"), bobs().handler("planned")] {
        assert_eq!(timers.count(&none).await?, 0);
    }
    let odd = timers.list(&bobs().after("soon")).await.unwrap_err().to_string();
    assert!(odd.contains("`next`"), "{odd}");

    let done = in_time(timers.cancel(listed[0].number)).await?;
    assert_eq!((done.done, done.missing), (vec![listed[0].number], vec![]));
    let done = in_time(timers.cancel(soon)).await?;
    assert_eq!(done.done.len(), 2);
    let done = in_time(timers.cancel(vec![listed[0].number, 99])).await?;
    assert_eq!((done.done.len(), done.missing.len()), (0, 2));
    bank.advance(HOUR * 24).await?;
    assert_eq!(history(&bank, "ada").await?, [0; 0]);
    assert_eq!(history(&bank, "bob").await?, [4, 5, 6]);
    Ok(bank.stop().await?)
}

#[test]
fn one_that_is_cancelled_at_its_very_time_is_cancelled_or_sent_never_both() {
    for_seeds(30, |seed| async move {
        let mut bank = TestApp::start(app()).await?;
        for cents in 0..50 {
            bank.publish(deposit_of("ada", cents).delay(HOUR)).await?;
        }
        let timers = bank.service().timers();
        let numbers = timers.list(&TimerFilter::new()).await?.items;
        let numbers: Vec<u64> = numbers.iter().map(|timer| timer.number).collect();
        let cancelling = tokio::spawn(async move {
            // As the time comes, some steps sooner or later.
            for _ in 0..seed {
                tokio::task::yield_now().await;
            }
            timers.cancel(numbers).await
        });
        tokio::time::advance(HOUR).await;
        let done = in_time(cancelling).await??;
        bank.settle().await?;
        let sent = history(&bank, "ada").await?.len();
        assert_eq!((done.done.len() + sent, done.missing.len()), (50, sent), "seed {seed}");
        Ok(bank.stop().await?)
    });
}
