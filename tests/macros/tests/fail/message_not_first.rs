#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

#[derive(State, Default, Serialize, Deserialize)]
struct Account {
    balance: i64,
}

#[handler]
async fn deposit(account: &mut Account, cmd: Deposit) {}

fn main() {}
