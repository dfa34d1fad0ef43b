#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

#[handler]
#[handler]
async fn deposit(cmd: Deposit) {}

fn main() {}
