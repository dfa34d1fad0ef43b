#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

struct Bank;

impl Bank {
    #[handler]
    async fn deposit(&self, cmd: Deposit) {}
}

fn main() {}
