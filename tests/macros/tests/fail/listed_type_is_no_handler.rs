#![allow(unused_variables)]

use framework::prelude::*;

struct Thing {}

fn main() {
    let _ = handlers![Thing];
}
