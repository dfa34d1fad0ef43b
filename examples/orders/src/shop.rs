//! The shop: a process manager. It asks for a payment, and goes on with what comes first: the
//! payment, its refusal, or the end of its patience.

use std::time::Duration;

use framework::prelude::*;

use crate::messages::{
    Cancelled, ChargePayment, PaymentRefused, PaymentTaken, PaymentTimeout, PlaceOrder,
    RefundPayment, Ship,
};

/// An order from when it is placed until it is shipped or cancelled: then it is gone.
#[derive(State, Serialize, Deserialize)]
#[state(name = "order")]
pub(crate) struct Order {
    item: String,
}

/// How long an order waits for its payment.
struct Patience(Duration);

/// The name under which a timeout waits, and is taken back.
const TIMEOUT: &str = "payment-timeout";

/// The order, the request for its payment and the timeout become durable together.
#[handler]
async fn place(
    cmd: PlaceOrder,
    order: &mut Option<Order>,
    patience: &Patience,
) -> Option<(ChargePayment, Outgoing<PaymentTimeout>)> {
    if order.is_some() {
        // It is under way: somebody has clicked twice.
        return None;
    }
    *order = Some(Order { item: cmd.item });
    let timeout = PaymentTimeout { order: cmd.order.clone() };
    let charge = ChargePayment { order: cmd.order, cents: cmd.cents, card: cmd.card };
    Some((charge, timeout.delay(patience.0).named(TIMEOUT)))
}

#[handler]
async fn paid(event: PaymentTaken, order: &mut Option<Order>, outbox: &mut Outbox) {
    outbox.cancel::<PaymentTimeout>(&event.order, TIMEOUT);
    let PaymentTaken { order: number, cents, card } = event;
    match order.take() {
        Some(Order { item }) => outbox.send(Ship { order: number, item }),
        None => outbox.send(RefundPayment { order: number, cents, card }),
    }
}

#[handler]
async fn refused(
    event: PaymentRefused,
    order: &mut Option<Order>,
    outbox: &mut Outbox,
) -> Option<Cancelled> {
    outbox.cancel::<PaymentTimeout>(&event.order, TIMEOUT);
    end(order, event.order, "the payment was refused")
}

/// A timeout that was released just before the payment came finds the order gone.
#[handler]
async fn overdue(event: PaymentTimeout, order: &mut Option<Order>) -> Option<Cancelled> {
    end(order, event.order, "no payment came in time")
}

fn end(order: &mut Option<Order>, number: String, why: &str) -> Option<Cancelled> {
    order.take().map(|_| Cancelled { order: number, why: why.to_owned() })
}

#[handler]
async fn ship(cmd: Ship) {
    println!("{}: the {} is on its way", cmd.order, cmd.item);
}

#[handler]
async fn regret(event: Cancelled) {
    println!("{}: cancelled, {}", event.order, event.why);
}

pub(crate) fn app(patience: Duration) -> App {
    App::new("shop")
        .provide(Patience(patience))
        .handlers(handlers![place, paid, refused, overdue, ship, regret])
}
