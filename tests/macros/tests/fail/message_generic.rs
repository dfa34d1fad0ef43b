#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
struct Deposit<T> {
    of: T,
}

#[derive(Message, Serialize, Deserialize)]
struct Borrowed<'a> {
    account: &'a str,
}

fn main() {}
