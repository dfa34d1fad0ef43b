#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = cents)]
struct Deposit {
    cents: f64,
}

#[derive(Message, Serialize, Deserialize)]
#[message(key = order.id)]
struct Paid {
    order: Order,
}

#[derive(Serialize, Deserialize)]
struct Order {
    id: Option<String>,
}

fn main() {}
