#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

#[handler(confirm = asked)]
async fn deposit(cmd: Deposit) {}

#[handler(from = earliest)]
async fn slow(cmd: Deposit) {}

fn main() {}
