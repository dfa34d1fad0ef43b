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

struct Limits {
    max: i64,
}

#[handler]
async fn deposit(cmd: Deposit, limits: Option<&Limits>) {}

fn main() {}
