#![allow(unused_variables)]

use framework::prelude::*;

#[derive(State, Default)]
struct Account {
    balance: i64,
}

fn main() {}
