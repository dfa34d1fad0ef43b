#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

#[handler(name = "deposit money")]
async fn deposit(cmd: Deposit) {}

#[handler(name = deposit)]
async fn withdraw(cmd: Deposit) {}

fn main() {}
