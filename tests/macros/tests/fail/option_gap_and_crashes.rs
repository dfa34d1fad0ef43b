#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

#[handler(gap = wait)]
async fn unknown(cmd: Deposit) {}

#[handler(gap = skip)]
async fn when(cmd: Deposit) {}

#[handler(gap = skip("soon"))]
async fn soon(cmd: Deposit) {}

#[handler(gap = "hold")]
async fn text(cmd: Deposit) {}

#[handler(crashes = 0)]
async fn crashes(cmd: Deposit) {}

fn main() {}
