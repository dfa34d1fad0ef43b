//! What travels between the shop and the payments. All of it is about one order.

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "orders", key = order)]
pub(crate) struct PlaceOrder {
    pub(crate) order: String,
    pub(crate) item: String,
    pub(crate) cents: u64,
    pub(crate) card: String,
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "payments", key = order)]
pub(crate) struct ChargePayment {
    pub(crate) order: String,
    pub(crate) cents: u64,
    pub(crate) card: String,
}

#[derive(Debug, PartialEq, Message, Serialize, Deserialize)]
#[message(topic = "orders", key = order)]
pub(crate) struct PaymentTaken {
    pub(crate) order: String,
    pub(crate) cents: u64,
    pub(crate) card: String,
}

/// An answer like any other: the order does without it.
#[derive(Message, Serialize, Deserialize)]
#[message(topic = "orders", key = order)]
pub(crate) struct PaymentRefused {
    pub(crate) order: String,
}

/// What the shop sends to itself, to be told that it has waited long enough.
#[derive(Message, Serialize, Deserialize)]
#[message(topic = "orders", key = order)]
pub(crate) struct PaymentTimeout {
    pub(crate) order: String,
}

/// The payment came, and there is no order for it any more.
#[derive(Debug, PartialEq, Message, Serialize, Deserialize)]
#[message(topic = "payments", key = order)]
pub(crate) struct RefundPayment {
    pub(crate) order: String,
    pub(crate) cents: u64,
    pub(crate) card: String,
}

#[derive(Debug, PartialEq, Message, Serialize, Deserialize)]
#[message(topic = "shipments", key = order)]
pub(crate) struct Ship {
    pub(crate) order: String,
    pub(crate) item: String,
}

#[derive(Debug, PartialEq, Message, Serialize, Deserialize)]
#[message(topic = "cancellations", key = order)]
pub(crate) struct Cancelled {
    pub(crate) order: String,
    pub(crate) why: String,
}
