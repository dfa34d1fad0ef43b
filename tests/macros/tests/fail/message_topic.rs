#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "")]
struct Empty {}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "all deposits")]
struct Spaces {}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = deposits)]
struct Bare {}

#[derive(Message, Serialize, Deserialize)]
#[message(topic)]
struct Valueless {}

fn main() {}
