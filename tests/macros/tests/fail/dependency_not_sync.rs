#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

use std::cell::Cell;

#[handler]
async fn deposit(cmd: Deposit, limit: &Cell<u64>) {}

fn main() {}
