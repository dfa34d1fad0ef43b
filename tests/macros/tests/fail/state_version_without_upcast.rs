#![allow(unused_variables)]

use framework::prelude::*;

#[derive(State, Default, Serialize, Deserialize)]
#[state(name = "account", version = 2)]
struct Account {}

#[derive(State, Default, Serialize, Deserialize)]
#[state(version = 0)]
struct Zeroth {}

#[derive(State, Default, Serialize, Deserialize)]
#[state(upcast = upcast)]
struct First {}

fn main() {}
