#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

struct Refused;

#[handler]
async fn deposit(cmd: Deposit) -> Result<(), Refused> {
    Err(Refused)
}

fn main() {}
