#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

#[handler]
async fn deposit<'a>(cmd: Deposit, limit: &'a u64) {}

fn main() {}
