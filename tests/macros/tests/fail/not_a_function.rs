#![allow(unused_variables)]

use framework::prelude::*;

#[handler]
struct Thing {}

fn main() {}
