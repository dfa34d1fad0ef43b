#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message)]
union Deposit {
    cents: i64,
    euros: i64,
}

fn main() {}
