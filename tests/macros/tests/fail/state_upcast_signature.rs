#![allow(unused_variables)]

use framework::prelude::*;

#[derive(State, Default, Serialize, Deserialize)]
#[state(version = 2, upcast = upcast)]
struct Account {}

fn upcast(old: String) -> String {
    old
}

#[derive(State, Default, Serialize, Deserialize)]
#[state(version = 2, upcast = not_there)]
struct Other {}

fn main() {}
