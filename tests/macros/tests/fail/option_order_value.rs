#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

#[handler(order = random)]
async fn deposit(cmd: Deposit) {}

#[handler(order = "none")]
async fn withdraw(cmd: Deposit) {}

fn main() {}
