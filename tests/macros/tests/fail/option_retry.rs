#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

#[handler(retry(attempts = 0))]
async fn none(cmd: Deposit) {}

#[handler(retry(attempts = "3"))]
async fn text(cmd: Deposit) {}

#[handler(retry(min = "2m", max = "1m"))]
async fn wrong_way_round(cmd: Deposit) {}

#[handler(retry(min = "0ms"))]
async fn no_pause(cmd: Deposit) {}

#[handler(retry(unless = |error| true))]
async fn closure(cmd: Deposit) {}

#[handler(retry(times = 3))]
async fn unknown(cmd: Deposit) {}

#[handler(retry(max = "1m", max = "2m"))]
async fn twice(cmd: Deposit) {}

#[handler(retry = 3)]
async fn value(cmd: Deposit) {}

fn main() {}
