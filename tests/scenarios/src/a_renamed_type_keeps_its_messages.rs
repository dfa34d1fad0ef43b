use std::time::Duration;

use framework::broker::memory::MemoryBroker;
use framework::dead_letters::Filter;
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;

use crate::support::{Trail, in_time};

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "cmds", key = id)]
struct Cmd {
    id: String,
    n: u64,
}

/// `Cmd`, after the Rust type was renamed.
#[derive(Message, Serialize, Deserialize)]
#[message(topic = "cmds", key = id)]
struct Command {
    id: String,
    n: u64,
}

#[derive(State, Default, Serialize, Deserialize)]
struct Seen {
    all: Vec<u64>,
}

#[handler]
async fn count(cmd: Cmd, seen: &mut Seen) {
    seen.all.push(cmd.n);
}

#[handler(name = "count")]
async fn refuse(_: Cmd, _: &mut Seen) -> Result<()> {
    Err(HandlerError::permanent("not now"))
}

mod renamed {
    use super::*;

    #[handler]
    pub(super) async fn count(cmd: Command, seen: &mut Seen) {
        seen.all.push(cmd.n);
    }
}

#[handler]
async fn other(_: Cmd) {}

fn before() -> App {
    App::new("one").handlers(handlers![count])
}

fn after() -> App {
    App::new("one").handlers(handlers![renamed::count])
}

fn cmd(n: u64) -> Cmd {
    Cmd { id: "a".into(), n }
}

struct Place(MemoryBroker, MemoryStore);

impl Place {
    /// A store that has taken `Cmd` once, and five more that wait in the broker.
    async fn with_five() -> anyhow::Result<(Place, TestApp)> {
        let place = Place(MemoryBroker::default(), MemoryStore::new(1));
        let sender = App::new("sender");
        let sender = TestApp::start_on(sender, place.0.clone(), MemoryStore::new(2)).await?;
        sender.publish(cmd(1)).await?;
        place.start(before()).await?.stop().await?;
        let mut published = place.0.changes();
        for n in 2..=6 {
            sender.publish(cmd(n)).await?;
        }
        in_time(async {
            while place.0.published("cmds").len() < 6 {
                published.changed().await.expect("the broker lives");
            }
        })
        .await;
        Ok((place, sender))
    }

    async fn start(&self, app: App) -> anyhow::Result<TestApp> {
        let mut app = TestApp::start_on(app, self.0.clone(), self.1.clone()).await?;
        in_time(app.settle()).await?;
        Ok(app)
    }

    async fn refused(&self, app: App) -> String {
        let started = TestApp::start_on(app, self.0.clone(), self.1.clone()).await;
        started.expect_err("it starts").to_string()
    }
}

async fn seen(app: &TestApp) -> anyhow::Result<Vec<u64>> {
    Ok(app.state::<Seen>("a").await?.unwrap_or_default().all)
}

#[tokio::test(start_paused = true)]
async fn the_start_offers_what_keeps_them_first_and_says_how_many_wait() -> anyhow::Result<()> {
    let (place, _sender) = Place::with_five().await?;
    let said = place.refused(after()).await;
    let at = |part: &str| said.find(part).unwrap_or_else(|| panic!("{part:?} is missing: {said}"));
    let first = at("#[message(type = \"Cmd\")]");
    let second = at(".renamed_type(\"cmds\", \"Cmd\", \"Command\")");
    let third = at(".retired_type(\"cmds\", \"Cmd\")");
    assert!(first < second && second < third, "{said}");
    at("5 records, of whatever types, wait in the topic now");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn messages_of_the_old_name_go_to_the_handlers_of_the_new_one() -> anyhow::Result<()> {
    let (place, sender) = Place::with_five().await?;
    let app = place.start(after().renamed_type("cmds", "Cmd", "Command")).await?;
    assert_eq!(seen(&app).await?, [1, 2, 3, 4, 5, 6]);
    app.stop().await?;
    // The store remembers it: the next version need not say it again.
    sender.publish(cmd(7)).await?;
    sender.publish(Command { id: "a".into(), n: 8 }).await?;
    let app = place.start(after()).await?;
    assert_eq!(seen(&app).await?, [1, 2, 3, 4, 5, 6, 7, 8]);
    app.stop().await?;
    // A name that a handler takes again stands for itself.
    let app = place.start(before().retired_type("cmds", "Command")).await?;
    drop(app);
    let said = place.refused(after()).await;
    assert!(said.contains(".renamed_type(\"cmds\", \"Cmd\""), "{said}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_goes_with_the_name() -> anyhow::Result<()> {
    let place = Place(MemoryBroker::default(), MemoryStore::new(1));
    let sender =
        TestApp::start_on(App::new("sender"), place.0.clone(), MemoryStore::new(2)).await?;
    let app = place.start(App::new("one").handlers(handlers![refuse])).await?;
    sender.publish(cmd(1)).await?;
    sender.publish(cmd(2)).await?;
    drop(app);
    // One is a dead letter, the other is held behind it.
    let app = place.start(App::new("one").handlers(handlers![refuse])).await?;
    assert_eq!(app.dead_letters().count(&Filter::new()).await?, 1);
    app.stop().await?;
    let mut app = place.start(after().renamed_type("cmds", "Cmd", "Command")).await?;
    app.dead_letters().replay(Filter::new()).await?;
    in_time(app.settle()).await?;
    assert_eq!(seen(&app).await?, [1, 2]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_waits_unhandled_or_for_its_time_goes_with_the_name() -> anyhow::Result<()> {
    let place = Place(MemoryBroker::default(), MemoryStore::new(1));
    let mut app = place.start(after()).await?;
    app.publish(cmd(1)).await?;
    app.publish(cmd(2).delay(Duration::from_secs(60)).named("later")).await?;
    app.publish(cmd(3).delay(Duration::from_secs(60))).await?;
    in_time(app.settle()).await?;
    assert_eq!(app.dead_letters().unhandled().count(&Filter::new()).await?, 1);
    app.stop().await?;
    let mut app = place.start(after().renamed_type("cmds", "Cmd", "Command")).await?;
    assert_eq!(seen(&app).await?, [1]);
    // One of the same name takes the place of what waits under it, whatever its type was called.
    let command = Command { id: "a".into(), n: 4 };
    app.publish(command.delay(Duration::from_secs(90)).named("later")).await?;
    in_time(app.advance(Duration::from_secs(100))).await?;
    assert_eq!(seen(&app).await?, [1, 3, 4]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_rename_that_could_handle_a_message_twice_is_refused() -> anyhow::Result<()> {
    let (place, _sender) = Place::with_five().await?;
    let both = App::new("one").handlers(handlers![renamed::count, other]);
    let said = place.refused(both.renamed_type("cmds", "Cmd", "Command")).await;
    assert!(said.contains("could be handled twice"), "{said}");
    let wrong = after().renamed_type("cmds", "Cmd", "Comand");
    let said = place.refused(wrong).await;
    assert!(said.contains("renamed to \"Comand\", which no handler"), "{said}");
    let twice = after().renamed_type("cmds", "Cmd", "Command").renamed_type("cmds", "Cmd", "X");
    let said = place.refused(twice).await;
    assert!(said.contains("more than one name"), "{said}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_comes_of_a_retired_type_is_listed_and_not_lost() -> anyhow::Result<()> {
    let (trail, _guard) = Trail::record();
    let (place, _sender) = Place::with_five().await?;
    let app = place.start(after().retired_type("cmds", "Cmd")).await?;
    assert_eq!(seen(&app).await?, [1]);
    assert_eq!(app.dead_letters().unhandled().count(&Filter::new()).await?, 5);
    assert!(trail.text().contains("no handler takes this type"), "{}", trail.text());
    app.stop().await?;
    // A mistake can be mended.
    let app = place.start(after().renamed_type("cmds", "Cmd", "Command")).await?;
    assert_eq!(seen(&app).await?, [1, 2, 3, 4, 5, 6]);
    Ok(())
}
