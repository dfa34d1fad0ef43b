//! The service: orders that wait for their payment, and the stock that they take from.

use std::time::Duration;

use framework::prelude::*;

#[derive(Debug, Message, Serialize, Deserialize)]
#[message(topic = "orders", key = order)]
pub(crate) struct PlaceOrder {
    pub(crate) order: String,
    pub(crate) item: String,
    pub(crate) count: u32,
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "orders", key = order)]
pub(crate) struct Pay {
    pub(crate) order: String,
}

/// Nobody has paid in time.
#[derive(Message, Serialize, Deserialize)]
#[message(topic = "orders", key = order)]
struct Expire {
    order: String,
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "orders", key = order)]
struct SoldOut {
    order: String,
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "stock", key = item)]
struct Reserve {
    item: String,
    count: u32,
    order: String,
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "stock", key = item)]
struct PutBack {
    item: String,
    count: u32,
}

/// An order from when it is placed until it is paid, sold out or expired: then it is gone.
#[derive(State, Serialize, Deserialize)]
#[state(name = "order")]
pub(crate) struct Order {
    pub(crate) item: String,
    pub(crate) count: u32,
}

#[derive(State, Serialize, Deserialize)]
#[state(name = "stock")]
pub(crate) struct Stock {
    pub(crate) left: u32,
}

impl Default for Stock {
    fn default() -> Self {
        Stock { left: 10 }
    }
}

/// How long an order waits for its payment.
struct Patience(Duration);

/// The name under which an expiry waits, and is taken back.
const EXPIRY: &str = "expiry";

/// The order, what it takes from the stock and its expiry become durable together.
#[handler]
async fn place(
    cmd: PlaceOrder,
    order: &mut Option<Order>,
    patience: &Patience,
) -> (Reserve, Outgoing<Expire>) {
    let PlaceOrder { order: number, item, count } = cmd;
    *order = Some(Order { item: item.clone(), count });
    let expire = Expire { order: number.clone() }.delay(patience.0).named(EXPIRY);
    (Reserve { item, count, order: number }, expire)
}

#[handler]
async fn reserve(cmd: Reserve, stock: &mut Stock) -> Option<SoldOut> {
    match stock.left.checked_sub(cmd.count) {
        Some(left) => stock.left = left,
        None => return Some(SoldOut { order: cmd.order }),
    }
    None
}

#[handler]
async fn pay(cmd: Pay, order: &mut Option<Order>, outbox: &mut Outbox) {
    outbox.cancel::<Expire>(&cmd.order, EXPIRY);
    match order.take() {
        Some(Order { item, count }) => tracing::info!(cmd.order, item, count, "paid and shipped"),
        None => tracing::warn!(cmd.order, "paid too late: to be paid back"),
    }
}

#[handler]
async fn expire(event: Expire, order: &mut Option<Order>) -> Option<PutBack> {
    let Order { item, count } = order.take()?;
    tracing::info!(event.order, item, count, "not paid in time: put back");
    Some(PutBack { item, count })
}

#[handler]
async fn sold_out(event: SoldOut, order: &mut Option<Order>, outbox: &mut Outbox) {
    outbox.cancel::<Expire>(&event.order, EXPIRY);
    *order = None;
}

#[handler]
async fn put_back(cmd: PutBack, stock: &mut Stock) {
    stock.left += cmd.count;
}

pub(crate) fn app(patience: Duration) -> App {
    App::new("shop")
        .provide(Patience(patience))
        .handlers(handlers![place, reserve, pay, expire, sold_out, put_back])
}
