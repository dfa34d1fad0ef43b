#![allow(unused_variables)]

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(key = account)]
struct Deposit {
    account: String,
}

mod other {
    #[allow(non_camel_case_types)]
    pub struct deposit {}

    pub mod withdraw {}
}

use other::{deposit, withdraw};

#[handler]
async fn deposit(cmd: Deposit) {}

#[handler]
async fn withdraw(cmd: Deposit) {}

fn main() {}
