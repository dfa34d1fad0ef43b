use framework::dead_letters::Filter;
use framework::prelude::*;
use framework::testing::TestApp;

use crate::support::{Trail, in_time};

#[derive(Message, Serialize, Deserialize)]
#[message(key = order)]
struct Reserve {
    order: String,
    error: String,
}

#[derive(Message, Serialize, Deserialize)]
struct Sweep {}

#[handler(retry(attempts = 3, min = "2s", max = "5m"))]
async fn reserve_stock(cmd: Reserve) -> Result<()> {
    Err(cmd.error.into())
}

#[handler(retry(attempts = 2))]
async fn sweep(_: Sweep) -> Result<()> {
    Err("the broom is gone".into())
}

const SHORT: &str = "the bank is busy";

/// What such lines say, and how long they are.
#[tokio::test(start_paused = true)]
async fn of_160_columns_with_its_key_first() -> anyhow::Result<()> {
    let (trail, _guard) = Trail::record_as_printed();
    let mut shop =
        TestApp::start(App::new("shop").handlers(handlers![reserve_stock, sweep])).await?;
    let long = "POST https://warehouse.example/reservations: no answer\n".repeat(20);
    let uuid = "0192f0c1-7a3e-7b1c-9d2e-1f0a5b6c7d8e";
    for order in ["order-10023", uuid, &"k".repeat(400)] {
        for error in [SHORT, &long] {
            let reserve = Reserve { order: order.into(), error: error.into() };
            shop.publish(reserve).await?;
            in_time(shop.settle()).await?;
            shop.dead_letters().discard(Filter::new()).await?;
        }
    }
    shop.publish(Sweep {}).await?;
    in_time(shop.settle()).await?;

    let text = trail.text();
    let of = |target: &str| text.lines().filter(|line| line.contains(target)).collect::<Vec<_>>();
    let (retried, dead) = (of("WARN endwise::retry: "), of("ERROR endwise::dead: "));
    assert_eq!((retried.len(), dead.len()), (6 * 2 + 1, 7), "{text}");
    for line in retried.iter().chain(&dead) {
        assert!(line.chars().count() <= 160, "{} columns: {line}", line.chars().count());
    }
    let keyed =
        |line: &&&str| line.contains("failed key=\"order-10023\" handler=\"reserve_stock\"");
    // With a number to look up there is always the service to look it up in.
    assert!(dead.iter().all(|line| line.contains(" service=\"shop\" number=")), "{text}");
    assert_eq!(retried.iter().filter(keyed).count(), 4, "{text}");
    assert!(retried[0].contains(SHORT) && dead[0].contains(SHORT), "{text}");
    assert!(
        retried
            .iter()
            .any(|line| line
                .contains("failed position=…/sweep/0#1 handler=\"sweep\" service=\"shop\"")),
        "{text}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_cut_there_is_whole_in_its_dead_letter() -> anyhow::Result<()> {
    let mut shop = TestApp::start(App::new("shop").handlers(handlers![reserve_stock])).await?;
    let error = "no answer, ".repeat(40);
    shop.publish(Reserve { order: "k".repeat(300), error: error.clone() }).await?;
    in_time(shop.settle()).await?;
    let letter = shop.dead_letters().list(&Filter::new()).await?.items.remove(0);
    assert_eq!((letter.error, letter.key.as_deref().map(str::len)), (error, Some(300)));
    Ok(())
}
