#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

async fn deposit(cmd: Deposit) {}

fn main() {
    let _ = handlers![deposit];
}
