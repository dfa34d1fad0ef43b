//! Both services in memory, on one broker: each story of the README.

use std::sync::Arc;
use std::time::Duration;

use framework::broker::memory::MemoryBroker;
use framework::dead_letters::Filter;
use framework::store::memory::MemoryStore;
use framework::testing::TestApp;

use crate::gateway::Sandbox;
use crate::messages::{Cancelled, PaymentTaken, PlaceOrder, RefundPayment, Ship};
use crate::shop::Order;
use crate::{payments, shop};

type Test<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const PATIENCE: Duration = Duration::from_secs(900);
const TOO_LONG: Duration = Duration::from_secs(901);

struct Street {
    shop: TestApp,
    payments: TestApp,
    gateway: Arc<Sandbox>,
}

impl Street {
    async fn open() -> Test<Street> {
        let (broker, gateway) = (MemoryBroker::default(), Arc::new(Sandbox::default()));
        let (shop, payments) = (shop::app(PATIENCE), payments::app(gateway.clone()));
        Ok(Street {
            shop: TestApp::start_on(shop, broker.clone(), MemoryStore::new(1)).await?,
            payments: TestApp::start_on(payments, broker, MemoryStore::new(2)).await?,
            gateway,
        })
    }

    async fn order(&mut self, card: &str) -> Test {
        let (order, item, card) = ("order-1".to_owned(), "kettle".to_owned(), card.to_owned());
        self.shop.publish(PlaceOrder { order, item, cents: 1_900, card }).await?;
        self.settle().await
    }

    /// Each service answers the other, until both have nothing to do.
    async fn settle(&mut self) -> Test {
        for _ in 0..3 {
            self.shop.settle().await?;
            self.payments.settle().await?;
        }
        Ok(())
    }

    async fn after(&mut self, time: Duration) -> Test {
        self.shop.advance(time).await?;
        self.settle().await
    }

    async fn timers(&self) -> Test<u64> {
        Ok(self.shop.service().status().await?.timers.count)
    }

    fn shipped(&self) -> Test<usize> {
        Ok(self.shop.published::<Ship>()?.len())
    }

    fn cancelled(&self) -> Test<Vec<String>> {
        Ok(self.shop.published::<Cancelled>()?.into_iter().map(|event| event.why).collect())
    }
}

#[tokio::test(start_paused = true)]
async fn a_paid_order_is_shipped_and_its_timeout_taken_back() -> Test {
    let mut street = Street::open().await?;
    street.order("good").await?;
    assert_eq!(street.shipped()?, 1);
    assert_eq!(street.timers().await?, 0);
    street.after(TOO_LONG).await?;
    assert!(street.cancelled()?.is_empty());
    assert!(street.shop.state::<Order>("order-1").await?.is_none(), "it is gone");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_placed_twice_is_paid_once() -> Test {
    let mut street = Street::open().await?;
    // The second comes while the first waits for its payment.
    street.order("new").await?;
    street.order("good").await?;
    assert!(street.shop.published::<PaymentTaken>()?.is_empty());
    assert_eq!(street.timers().await?, 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_refused_payment_cancels_the_order() -> Test {
    let mut street = Street::open().await?;
    street.order("empty").await?;
    assert_eq!(street.cancelled()?, ["the payment was refused"]);
    assert_eq!(street.timers().await?, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_fails_twice_is_taken_at_the_third_attempt() -> Test {
    let mut street = Street::open().await?;
    street.order("slow").await?;
    assert_eq!(street.shipped()?, 1);
    let counts = street.payments.service().counts();
    assert_eq!(counts.retried().next(), Some(("charge", 2)));
    assert_eq!(counts.dead().next(), Some(("charge", 0)));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_cannot_succeed_is_a_dead_letter_and_the_order_ends_in_time() -> Test {
    let mut street = Street::open().await?;
    street.order("new").await?;
    let letters = street.payments.dead_letters();
    let found = letters.list(&Filter::new().handler("charge").key("order-1")).await?.items;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].attempts, 1, "it is not tried again");
    assert!(found[0].error.contains("knows no card \"new\""), "{}", found[0].error);
    assert!(street.shop.state::<Order>("order-1").await?.is_some(), "the order waits");

    street.after(TOO_LONG).await?;
    assert_eq!(street.cancelled()?, ["no payment came in time"]);

    // Somebody has registered the card, and replays: the payment comes for an order that is gone.
    street.gateway.register();
    letters.replay(vec![found[0].number]).await?;
    street.settle().await?;
    assert_eq!(letters.count(&Filter::new()).await?, 0);
    let refund = RefundPayment { order: "order-1".into(), cents: 1_900, card: "new".into() };
    assert_eq!(street.payments.published::<RefundPayment>()?, [refund]);
    assert_eq!(street.shipped()?, 0);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_replayed_in_time_saves_the_order() -> Test {
    let mut street = Street::open().await?;
    street.order("new").await?;
    street.gateway.register();
    street.payments.dead_letters().replay(Filter::new()).await?;
    street.settle().await?;
    assert_eq!(street.shipped()?, 1);
    Ok(())
}
