#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

struct Account {
    balance: i64,
}

#[handler]
async fn deposit(cmd: Deposit, account: &mut Option<Account>) {}

fn main() {}
