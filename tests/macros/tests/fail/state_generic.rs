#![allow(unused_variables)]

use framework::prelude::*;

#[derive(State, Serialize, Deserialize)]
struct Account<T> {
    of: T,
}

fn main() {}
