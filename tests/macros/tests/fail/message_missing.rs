#![allow(unused_variables)]

use framework::prelude::*;

#[handler]
async fn deposit() {}

fn main() {}
