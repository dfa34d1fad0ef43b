#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
struct Ping {}

#[derive(Debug, thiserror::Error)]
#[error("refused")]
struct Refused;

fn by_value(error: Refused) -> bool {
    true
}

fn decides_nothing(error: &Refused) {}

fn of_no_error(error: &String) -> bool {
    true
}

#[handler(retry(unless = by_value))]
async fn value(cmd: Ping) {}

#[handler(retry(unless = decides_nothing))]
async fn nothing(cmd: Ping) {}

#[handler(retry(unless = of_no_error))]
async fn no_error(cmd: Ping) {}

fn main() {}
