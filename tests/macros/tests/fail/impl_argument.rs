#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

trait Gateway: Send + Sync {}

#[handler]
async fn deposit(cmd: Deposit, gateway: &impl Gateway) {}

fn main() {}
