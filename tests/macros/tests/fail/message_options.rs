#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(name = "deposit")]
struct Unknown {}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "a", topic = "b")]
struct Twice {}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "a")]
#[message(type = "b")]
struct TwoAttributes {}

fn main() {}
