#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

#[derive(Serialize, Deserialize)]
struct Deposited {}

#[handler]
async fn deposit(cmd: Deposit) -> Result<(Deposit, Option<Deposited>)> {
    Ok((cmd, None))
}

fn main() {}
