use framework::broker::Publication;
use framework::broker::memory::MemoryBroker;
use framework::dead_letters::Filter;
use framework::prelude::*;
use framework::status::Reason;
use framework::store::memory::MemoryStore;
use framework::stream::Slot;
use framework::testing::TestApp;
use framework::{Limits, Running};

use crate::support::{Trail, in_time};

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "accounts", key = account)]
struct Deposit {
    account: String,
    cents: i64,
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "accounts", key = account)]
struct Withdraw {
    account: String,
    cents: i64,
}

#[derive(State, Default, Serialize, Deserialize)]
struct Account {
    history: Vec<i64>,
}

#[derive(State, Default, Serialize, Deserialize)]
struct Book {
    lines: Vec<i64>,
}

#[handler]
async fn deposit(cmd: Deposit, account: &mut Account) {
    account.history.push(cmd.cents);
}

#[handler]
async fn withdraw(cmd: Withdraw, account: &mut Account) {
    account.history.push(-cmd.cents);
}

/// Shares the account, so that both handlers of a message stand side by side in its history.
#[handler]
async fn charge(cmd: Withdraw, account: &mut Account) {
    account.history.push(-1_000 - cmd.cents);
}

#[handler]
async fn book(cmd: Withdraw, book: &mut Book) {
    book.lines.push(cmd.cents);
}

/// A broker and the store of `bank`.
struct Place(MemoryBroker, MemoryStore);

impl Place {
    fn new() -> Self {
        Place(MemoryBroker::new(1), MemoryStore::new(1))
    }

    async fn start(&self, handlers: Handlers) -> anyhow::Result<TestApp> {
        self.start_app(App::new("bank").handlers(handlers)).await
    }

    async fn start_app(&self, app: App) -> anyhow::Result<TestApp> {
        let mut bank = TestApp::start_on(app, self.0.clone(), self.1.clone()).await?;
        in_time(bank.settle()).await?;
        Ok(bank)
    }

    async fn web(&self) -> anyhow::Result<TestApp> {
        Ok(TestApp::start_on(App::new("web"), self.0.clone(), MemoryStore::new(2)).await?)
    }
}

fn deposit_of(cents: i64) -> Deposit {
    Deposit { account: "ada".into(), cents }
}

fn withdraw_of(cents: i64) -> Withdraw {
    Withdraw { account: "ada".into(), cents }
}

async fn history(bank: &TestApp) -> anyhow::Result<Vec<i64>> {
    Ok(bank.state::<Account>("ada").await?.unwrap_or_default().history)
}

async fn listed(bank: &TestApp) -> anyhow::Result<u64> {
    Ok(bank.dead_letters().unhandled().count(&Filter::new()).await?)
}

fn raw(headers: &[(&str, &str)], body: &'static str) -> Publication {
    Publication {
        topic: "accounts".into(),
        slot: Slot(0),
        key: None,
        headers: headers.iter().copied().collect(),
        body: body.as_bytes().into(),
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_listed_and_handled_once_when_a_handler_comes() -> anyhow::Result<()> {
    let (trail, _guard) = Trail::record();
    let place = Place::new();
    let mut bank = place.start(handlers![deposit]).await?;
    let mut web = place.web().await?;
    web.publish(deposit_of(1)).await?;
    web.publish(withdraw_of(2)).await?;
    web.publish(withdraw_of(3)).await?;
    in_time(web.settle()).await?;
    in_time(bank.settle()).await?;

    let unhandled = bank.dead_letters().unhandled();
    let entries = unhandled.list(&Filter::new().type_name("Withdraw").key("ada")).await?.items;
    let [first, second] = entries.as_slice() else { panic!("{entries:?}") };
    assert!(first.number < second.number);
    assert_eq!((&*first.topic, &*first.type_name), ("accounts", "Withdraw"));
    let whole = unhandled.show(first.number).await?.expect("it is there");
    assert_eq!(whole.body.to_string(), r#"{"account":"ada","cents":2}"#);
    assert_eq!((bank.service().counts().unhandled(), bank.service().counts().invalid()), (2, 0));
    let kept = bank.service().status().await?.kept;
    assert_eq!(
        kept.unhandled_by_type.into_iter().collect::<Vec<_>>(),
        [("accounts/Withdraw".to_owned(), 2)]
    );
    assert_eq!(
        (kept.held, kept.dead, bank.dead_letters().holds(None, 9).await?.items.len()),
        (0, 0, 0)
    );
    let warned = trail.text().matches("no handler takes this type").count();
    assert_eq!(warned, 1, "{}", trail.text());
    bank.stop().await?;

    // Newer ones of its key come while the service is down, and a copy of one that is listed.
    let again = place.0.published("accounts").remove(1);
    web.publish(deposit_of(4)).await?;
    place.0.publish_again("accounts", again);
    let bank = place.start(handlers![deposit, withdraw]).await?;
    assert_eq!(history(&bank).await?, [1, -2, -3, 4]);
    assert_eq!(listed(&bank).await?, 0);
    bank.stop().await?;
    let bank = place.start(handlers![deposit, withdraw]).await?;
    assert_eq!(history(&bank).await?, [1, -2, -3, 4], "each once");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn it_goes_behind_what_is_held_before_it_and_to_all_its_handlers() -> anyhow::Result<()> {
    #[handler(name = "deposit")]
    async fn refuse(_: Deposit, _: &mut Account) -> Result<()> {
        Err(HandlerError::permanent("closed"))
    }
    let place = Place::new();
    let mut bank = place.start(handlers![refuse]).await?;
    bank.publish(deposit_of(1)).await?;
    in_time(bank.settle()).await?;
    for cents in [2, 3] {
        bank.publish(withdraw_of(cents)).await?;
        in_time(bank.settle()).await?;
    }
    bank.publish(deposit_of(4)).await?;
    in_time(bank.settle()).await?;
    drop(bank);
    let mut bank = place.start(handlers![deposit, withdraw, charge, book]).await?;
    assert_eq!(history(&bank).await?, [0; 0], "the key waits for its dead letter");
    assert_eq!(bank.state::<Book>("ada").await?.unwrap().lines, [2, 3], "its own key does not");
    bank.dead_letters().replay(Filter::new()).await?;
    in_time(bank.settle()).await?;
    assert_eq!(history(&bank).await?, [1, -2, -1_002, -3, -1_003, 4]);
    Ok(())
}

/// What runs, waits behind it, or came in one fetch with a dead letter is nowhere but in memory.
#[tokio::test(start_paused = true)]
async fn it_does_not_overtake_what_was_only_in_memory_before_it() -> anyhow::Result<()> {
    #[handler(name = "deposit")]
    async fn hang(_: Deposit, _: &mut Account) {
        std::future::pending().await
    }
    #[handler(name = "deposit", retry(attempts = 1_000, min = "500ms", max = "500ms"))]
    async fn fail(_: Deposit, _: &mut Account) -> Result<()> {
        Err(std::io::Error::other("not now").into())
    }
    #[handler(name = "deposit")]
    async fn refuse(_: Deposit, _: &mut Account) -> Result<()> {
        Err(HandlerError::permanent("closed"))
    }
    for handlers in [handlers![hang], handlers![fail], handlers![refuse]] {
        let place = Place::new();
        let web = place.web().await?;
        let mut bank = TestApp::start_on(
            App::new("bank").handlers(handlers),
            place.0.clone(),
            place.1.clone(),
        )
        .await?;
        for cents in [1, 2] {
            web.publish(deposit_of(cents)).await?;
        }
        web.publish(withdraw_of(3)).await?;
        web.publish(deposit_of(4)).await?;
        web.publish(withdraw_of(5)).await?;
        in_time(async {
            while listed(&bank).await? < 2 {
                tokio::task::yield_now().await;
            }
            anyhow::Ok(())
        })
        .await?;
        drop(bank);
        bank = place.start(handlers![deposit, withdraw]).await?;
        bank.dead_letters().replay(Filter::new()).await?;
        in_time(bank.settle()).await?;
        assert_eq!(history(&bank).await?, [1, 2, -3, 4, -5]);
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_foreign_record_with_a_type_waits_too() -> anyhow::Result<()> {
    let place = Place::new();
    let bank = place.start(handlers![deposit]).await?;
    let typed = [("ce_type", "Withdraw")];
    place.0.publish_again("accounts", raw(&typed, r#"{"account":"ada","cents":7}"#));
    place.0.publish_again("accounts", raw(&typed, r#"{"cents":8}"#));
    // One without a type is of the only one that the topic has here.
    place.0.publish_again("accounts", raw(&[], r#"{"account":"ada","cents":9}"#));
    drop(bank);
    let bank = place.start(handlers![deposit]).await?;
    assert_eq!((listed(&bank).await?, history(&bank).await?), (2, vec![9]));
    bank.stop().await?;
    let bank = place.start(handlers![deposit, withdraw, book]).await?;
    assert_eq!(history(&bank).await?, [9, -7]);
    let dead = bank.dead_letters().list(&Filter::new().type_name("Withdraw")).await?.items;
    assert_eq!(dead.len(), 2, "a body without its key is a dead letter of each handler: {dead:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_ignored_is_settled_and_counted_only() -> anyhow::Result<()> {
    let place = Place::new();
    let app = || App::new("bank").handlers(handlers![deposit]);
    let bank = place.start_app(app()).await?;
    bank.publish(withdraw_of(1)).await?;
    drop(bank);
    let bank = place.start_app(app()).await?;
    assert_eq!(listed(&bank).await?, 1);
    bank.stop().await?;

    // Told later, it lets go of what is listed.
    let some = app().ignore_types("accounts", ["Withdraw"]);
    let mut bank = place.start_app(some).await?;
    bank.publish(withdraw_of(2)).await?;
    in_time(bank.settle()).await?;
    let counts = bank.service().counts();
    assert_eq!((listed(&bank).await?, counts.ignored(), counts.unhandled()), (0, 1, 0));
    bank.stop().await?;

    let mut bank = place.start_app(app().ignore_other_types("accounts")).await?;
    bank.publish(withdraw_of(3)).await?;
    bank.publish(deposit_of(4)).await?;
    in_time(bank.settle()).await?;
    assert_eq!((listed(&bank).await?, history(&bank).await?), (0, vec![4]));
    bank.stop().await?;

    let both = app().ignore_types("accounts", ["Deposit"]);
    let refused = TestApp::start_on(both, place.0.clone(), place.1.clone()).await.unwrap_err();
    assert!(refused.to_string().contains("ignores type \"Deposit\""), "{refused}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn at_the_limit_nothing_more_is_fetched_until_some_are_discarded() -> anyhow::Result<()> {
    let limits = Limits { unhandled_max: 3, in_flight_max: 1, fetch_max: 1, ..Limits::default() };
    let app = App::new("bank").handlers(handlers![deposit]);
    let mut bank = TestApp::start_within(app, limits).await?;
    for cents in 0..3 {
        bank.publish(withdraw_of(cents)).await?;
    }
    in_time(bank.settle()).await?;
    let ready = bank.service().ready();
    assert_eq!(ready.reasons, [Reason::UnhandledFull], "{ready}");
    assert!(ready.to_string().contains("App::ignore_types"), "{ready}");
    let unhandled = bank.dead_letters().unhandled();
    let first = unhandled.list(&Filter::new().limit(1)).await?.items.remove(0).number;
    let done = unhandled.discard(vec![first, 99]).await?;
    assert_eq!((done.done, done.missing), (vec![first], vec![99]));
    // It is no dead letter, and a dead letter's verbs do nothing to it.
    let second = unhandled.list(&Filter::new()).await?.items.remove(0).number;
    assert_eq!(bank.dead_letters().discard(second).await?.missing, [second]);
    bank.publish(deposit_of(5)).await?;
    in_time(bank.settle()).await?;
    assert_eq!((history(&bank).await?, listed(&bank).await?), (vec![5], 2));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_may_be_deployed_first() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let bank = |handlers| App::new("bank").handlers(handlers);
    let running = Running::start(home.path(), [App::new("web"), bank(handlers![deposit])]).await?;
    for cents in 1..=50 {
        running.services()[0].producer().send(withdraw_of(cents)).await?;
    }
    running.settle().await?;
    running.stop().await?;
    let running =
        Running::start(home.path(), [App::new("web"), bank(handlers![deposit, withdraw])]).await?;
    running.services()[0].producer().send(deposit_of(1)).await?;
    running.settle().await?;
    let account = running.services()[1].state::<Account>("ada").await?.unwrap();
    assert_eq!(account.history, (1..=50).map(|cents| -cents).chain([1]).collect::<Vec<_>>());
    assert_eq!(running.services()[1].dead_letters().unhandled().count(&Filter::new()).await?, 0);
    Ok(running.stop().await?)
}
