#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

mod other {
    pub struct deposit {}
}

use other::deposit;

#[handler]
async fn deposit(cmd: Deposit) {}

fn main() {}
