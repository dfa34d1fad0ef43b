#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

#[handler]
async fn deposit(cmd: Deposit, counter: &mut u64) {}

fn main() {}
