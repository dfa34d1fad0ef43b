#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
enum Deposit {
    Cash { account: String },
}

fn main() {}
