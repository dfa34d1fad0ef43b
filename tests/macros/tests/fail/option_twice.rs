#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

#[handler(name = "a", name = "b")]
async fn deposit(cmd: Deposit) {}

#[handler(order = key, order = key)]
async fn withdraw(cmd: Deposit) {}

fn main() {}
