#![allow(unused_variables)]

use framework::prelude::*;

struct Deposit {}

#[handler]
async fn deposit(cmd: Deposit) {}

fn main() {}
