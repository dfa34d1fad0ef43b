use std::pin::pin;
use std::task::Poll;

use framework::OperatorError;
use framework::prelude::*;
use framework::raw_states::{KeyFilter, NewState};
use framework::testing::TestApp;
use futures::poll;

use crate::bank::{Account, Deposit, deposit_of};
use crate::support::{Dice, Gate, for_seeds, in_time};

#[handler]
async fn booked(cmd: Deposit, account: &mut Account, gate: &Gate) -> Result<()> {
    if cmd.cents < 0 {
        return Err(HandlerError::permanent("a deposit is not negative"));
    }
    gate.pass(cmd.account).await;
    account.history.push(cmd.cents);
    Ok(())
}

async fn start(gate: &Gate) -> anyhow::Result<TestApp> {
    let app = App::new("bank").provide(gate.clone()).handlers(handlers![booked]);
    Ok(TestApp::start(app).await?)
}

async fn history(bank: &TestApp, key: &str) -> anyhow::Result<Vec<i64>> {
    Ok(bank.state::<Account>(key).await?.map(|state| state.history).unwrap_or_default())
}

const TEN: &str = r#"{"balance":0,"history":[10]}"#;

#[tokio::test(start_paused = true)]
async fn never_beside_a_running_handler_and_before_what_has_not_begun() -> anyhow::Result<()> {
    let gate = Gate::shut();
    let mut bank = start(&gate).await?;
    bank.publish(deposit_of("ada", 1)).await?;
    in_time(gate.filled(1)).await;
    bank.publish(deposit_of("ada", 2)).await?;
    let states = bank.service().raw_states();
    let mut set = pin!(states.set("account", "ada", TEN));
    for _ in 0..1_000 {
        assert!(matches!(poll!(&mut set), Poll::Pending), "the handler runs still");
        tokio::task::yield_now().await;
    }
    // Another key's is changed meanwhile.
    in_time(states.set("account", "bob", TEN)).await?;
    gate.release(1);
    in_time(set).await?;
    assert_eq!(history(&bank, "ada").await?, [10], "the outcome before it, then it");
    gate.open();
    bank.settle().await?;
    assert_eq!(history(&bank, "ada").await?, [10, 2], "what comes next goes on from there");
    assert_eq!(history(&bank, "bob").await?, [10]);
    assert_eq!(bank.service().raw_states().get("account", "ada").await?.unwrap().version, 3);
    Ok(bank.stop().await?)
}

#[tokio::test(start_paused = true)]
async fn also_where_a_dead_letter_closes_the_key() -> anyhow::Result<()> {
    let gate = Gate::shut();
    gate.open();
    let mut bank = start(&gate).await?;
    for cents in [1, -2, 3] {
        bank.publish(deposit_of("ada", cents)).await?;
    }
    bank.settle().await?;
    let states = bank.service().raw_states();
    in_time(states.set("account", "ada", TEN)).await?;
    assert_eq!(history(&bank, "ada").await?, [10]);
    bank.settle().await?;
    assert_eq!(history(&bank, "ada").await?, [10], "the key is closed as before");
    bank.dead_letters().discard(framework::dead_letters::Filter::new()).await?;
    bank.settle().await?;
    assert_eq!(history(&bank, "ada").await?, [10, 3]);
    Ok(bank.stop().await?)
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_refused_and_changes_nothing() -> anyhow::Result<()> {
    let gate = Gate::shut();
    gate.open();
    let mut bank = start(&gate).await?;
    bank.publish(deposit_of("ada", 1)).await?;
    bank.settle().await?;
    let states = bank.service().raw_states();
    let large = format!("{{\"balance\":0,\"history\":[],\"x\":\"{}\"}}", "x".repeat(1 << 20));
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let long = "k".repeat(401);
    let newer = NewState::json(TEN).type_version(7);
    let stale = NewState::json(TEN).expected(9);
    for (name, key, state, why) in [
        ("acount", "ada", NewState::json(TEN), "there are: account"),
        ("account", "ada", NewState::json("{\"balance\":"), "this is not valid JSON"),
        ("account", "ada", NewState::json(deep), "this is not valid JSON"),
        ("account", "ada", NewState::json("{\"balance\":1}"), "missing field `history`"),
        ("account", "ada", NewState::json(large), "1048576 is the limit"),
        ("account", &long, NewState::json(TEN), "a key of 401 bytes"),
        ("account", "ada", newer, "which is said to be of version 7"),
        ("account", "ada", stale, "has version 1, and not 9"),
        ("account", "eve", NewState::json(TEN).expected(1), "has version 0, and not 1"),
    ] {
        match in_time(states.set(name, key, state)).await {
            Err(OperatorError::Refused { why: said }) => assert!(said.contains(why), "{said}"),
            other => panic!("{why}: {other:?}"),
        }
    }
    let stale = in_time(states.remove("account", "ada", Some(9))).await;
    assert!(matches!(stale, Err(OperatorError::Refused { .. })), "{stale:?}");
    assert!(!in_time(states.remove("account", "eve", None)).await?, "there is none");
    assert_eq!(history(&bank, "ada").await?, [1]);
    in_time(states.set("account", "eve", NewState::json(TEN).expected(0))).await?;
    in_time(states.set("account", "ada", NewState::json(TEN).expected(1))).await?;
    assert_eq!(states.names().await?.len(), 1);

    for key in ["e", "eve-1", "eve-2", "eve-3", "f"] {
        in_time(states.set("account", key, TEN)).await?;
    }
    let filter = KeyFilter::new().prefix("eve").limit(3);
    let page = states.list("account", &filter).await?;
    let keys = |items: &[framework::raw_states::RawEntry]| {
        items.iter().map(|entry| entry.key.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(keys(&page.items), ["eve", "eve-1", "eve-2"]);
    let rest = states.list("account", &filter.after(page.next.unwrap())).await?;
    assert_eq!((keys(&rest.items), rest.next), (vec!["eve-3".to_owned()], None));
    Ok(bank.stop().await?)
}

/// Deposits and changes, all at once: each change is over a whole number of deposits, and none of
/// what came after it is lost.
#[test]
fn beside_any_number_of_messages() {
    for_seeds(20, |seed| async move {
        let gate = Gate::shut();
        gate.open();
        let mut bank = start(&gate).await?;
        let (mut dice, service) = (Dice::new(seed), bank.service());
        let states = service.raw_states();
        let (mut sets, mut sent) = (Vec::new(), 0);
        for _ in 0..40 {
            if dice.roll(4) == 0 {
                let states = states.clone();
                sets.push(tokio::spawn(async move { states.set("account", "ada", TEN).await }));
            } else {
                sent += 1;
                service.producer().send(deposit_of("ada", sent)).await?;
            }
        }
        for set in sets {
            set.await??;
        }
        bank.settle().await?;
        let all = history(&bank, "ada").await?;
        let first = all.iter().position(|cents| *cents != 10).unwrap_or(all.len());
        assert!(all[first..].windows(2).all(|two| two[1] == two[0] + 1), "seed {seed}: {all:?}");
        assert_eq!(service_handled(&bank), sent as u64, "seed {seed}: none is lost or doubled");
        Ok(bank.stop().await?)
    });
}

fn service_handled(bank: &TestApp) -> u64 {
    bank.service().counts().handled().map(|(_, handled)| handled).sum()
}
