#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

#[derive(State, Serialize, Deserialize)]
struct Account {
    balance: i64,
}

#[handler]
async fn deposit(cmd: Deposit, account: &mut Account) {}

fn main() {}
