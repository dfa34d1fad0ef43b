#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

#[handler(retry(attempts = 8, min = "200ms", max = "1m"))]
async fn deposit(cmd: Deposit) {}

#[handler(timeout = "5s")]
async fn slow(cmd: Deposit) {}

#[handler(gap = hold)]
async fn gap(cmd: Deposit) {}

#[handler(crashes = 3)]
async fn crashes(cmd: Deposit) {}

fn main() {}
