#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

#[handler]
fn deposit(cmd: Deposit) -> impl Future<Output = ()> + Send {
    async move { drop(cmd) }
}

fn main() {}
