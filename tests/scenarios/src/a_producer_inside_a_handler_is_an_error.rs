use std::sync::OnceLock;

use framework::dead_letters::Filter;
use framework::prelude::*;
use framework::testing::TestApp;
use framework::{IntakeError, Producer};

use crate::bank::{Deposit, deposit_of};
use crate::support::in_time;

type Place = std::sync::Arc<OnceLock<Producer>>;

#[handler]
async fn sends(_: Deposit, producer: &Place) -> Result<()> {
    let producer = producer.get().ok_or("no producer")?;
    tokio::task::yield_now().await;
    let refused = producer.send_from("handler", 1, deposit_of("b", 1)).await;
    assert!(matches!(refused, Err(IntakeError::InHandler)), "{refused:?}");
    producer.send(deposit_of("b", 1)).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_producer_inside_a_handler_is_an_error() -> anyhow::Result<()> {
    let place = Place::default();
    let app = App::new("bank").provide(place.clone()).handlers(handlers![sends]);
    let mut bank = TestApp::start(app).await?;
    place.set(bank.service().producer()).expect("set once");
    bank.publish(deposit_of("a", 1)).await?;
    in_time(bank.settle()).await?;
    let dead = bank.dead_letters().list(&Filter::new()).await?.items;
    let said = &dead[0].error;
    assert!(&*dead[0].handler == "sends" && said.contains("return the message"), "{dead:?}");
    assert_eq!(bank.published::<Deposit>()?.len(), 1, "nothing was sent");
    Ok(())
}
