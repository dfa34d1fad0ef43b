#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

struct NoLayer;

#[handler]
async fn deposit(cmd: Deposit) {}

fn main() {
    let _ = handlers![deposit].layer(NoLayer);
}
