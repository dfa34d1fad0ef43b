#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = acount)]
struct Deposit {
    account: String,
}

fn main() {}
