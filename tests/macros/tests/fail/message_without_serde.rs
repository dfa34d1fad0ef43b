#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message)]
struct Deposit {
    account: String,
}

fn main() {}
