//! The service without its server, in memory and on paused time.

use std::time::Duration;

use framework::testing::TestApp;

use crate::orders::{Order, Pay, PlaceOrder, Stock, app};

type Test = Result<(), Box<dyn std::error::Error>>;

const PATIENCE: Duration = Duration::from_secs(900);

async fn opened() -> Result<TestApp, framework::prelude::RunError> {
    TestApp::start(app(PATIENCE)).await
}

async fn place(shop: &mut TestApp, order: &str, count: u32) -> Test {
    let (order, item) = (order.to_owned(), "kettle".to_owned());
    shop.publish(PlaceOrder { order, item, count }).await?;
    Ok(shop.settle().await?)
}

async fn left(shop: &TestApp) -> Result<u32, framework::ReadError> {
    Ok(shop.state::<Stock>("kettle").await?.unwrap_or_default().left)
}

#[tokio::test(start_paused = true)]
async fn an_order_that_nobody_pays_expires_and_gives_its_stock_back() -> Test {
    let mut shop = opened().await?;
    place(&mut shop, "order-1", 3).await?;
    assert_eq!(left(&shop).await?, 7);
    assert!(shop.state::<Order>("order-1").await?.is_some());
    shop.advance(PATIENCE).await?;
    assert_eq!(left(&shop).await?, 10);
    assert!(shop.state::<Order>("order-1").await?.is_none());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn one_that_is_paid_does_not_expire() -> Test {
    let mut shop = opened().await?;
    place(&mut shop, "order-1", 3).await?;
    shop.publish(Pay { order: "order-1".into() }).await?;
    shop.advance(2 * PATIENCE).await?;
    assert_eq!(left(&shop).await?, 7);
    assert!(shop.state::<Order>("order-1").await?.is_none());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_not_sold() -> Test {
    let mut shop = opened().await?;
    place(&mut shop, "order-1", 8).await?;
    place(&mut shop, "order-2", 3).await?;
    shop.settle().await?;
    assert_eq!(left(&shop).await?, 2);
    assert!(shop.state::<Order>("order-2").await?.is_none());
    shop.advance(PATIENCE).await?;
    assert_eq!(left(&shop).await?, 10);
    Ok(())
}
