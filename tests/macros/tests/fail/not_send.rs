#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

use std::rc::Rc;

#[handler]
async fn deposit(cmd: Deposit) {
    let shared = Rc::new(cmd);
    std::future::ready(()).await;
    drop(shared);
}

fn main() {}
