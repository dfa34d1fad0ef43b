#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

#[handler(timeout = "5 seconds")]
async fn words(cmd: Deposit) {}

#[handler(timeout = 5)]
async fn number(cmd: Deposit) {}

#[handler(timeout = "0s")]
async fn zero(cmd: Deposit) {}

#[handler(timeout = "99999999999999999d")]
async fn too_long(cmd: Deposit) {}

fn main() {}
