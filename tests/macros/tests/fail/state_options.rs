#![allow(unused_variables)]

use framework::prelude::*;

#[derive(State, Default, Serialize, Deserialize)]
#[state(topic = "account")]
struct Unknown {}

#[derive(State, Default, Serialize, Deserialize)]
#[state(name = "a", name = "b")]
struct Twice {}

#[derive(State, Default, Serialize, Deserialize)]
#[state(name = "a")]
#[state(version = 1)]
struct TwoAttributes {}

#[derive(State, Default, Serialize, Deserialize)]
#[state(name = "my account")]
struct Spaces {}

fn main() {}
