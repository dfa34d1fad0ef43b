//! What the bank is asked for, and what it answers.
//!
//! What is asked of an account is all in one topic: so it is handled in the order in which it was
//! sent, whatever its type.

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "accounts", key = account)]
pub(crate) struct Deposit {
    pub(crate) account: String,
    /// In whole units of the currency.
    pub(crate) amount: i64,
    pub(crate) currency: String,
}

impl Deposit {
    pub(crate) fn new(account: String, amount: i64, currency: &str) -> Self {
        Deposit { account, amount, currency: currency.to_owned() }
    }
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "accounts", key = account)]
pub(crate) struct Withdraw {
    pub(crate) account: String,
    pub(crate) cents: i64,
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "accounts", key = account)]
pub(crate) struct Close {
    pub(crate) account: String,
}

/// Salaries of many accounts, in whole euros: it is about none of them, so it has no key.
#[derive(Message, Serialize, Deserialize)]
#[message(topic = "payrolls")]
pub(crate) struct Payroll {
    pub(crate) salaries: Vec<(String, i64)>,
}

#[derive(Debug, PartialEq, Message, Serialize, Deserialize)]
#[message(topic = "payments", key = account)]
pub(crate) struct Paid {
    pub(crate) account: String,
    pub(crate) balance: i64,
}

#[derive(Debug, PartialEq, Message, Serialize, Deserialize)]
#[message(topic = "refusals", key = account)]
pub(crate) struct Refused {
    pub(crate) account: String,
    pub(crate) cents: i64,
}

#[derive(Debug, PartialEq, Message, Serialize, Deserialize)]
#[message(topic = "closed", key = account)]
pub(crate) struct Closed {
    pub(crate) account: String,
    pub(crate) paid_out: i64,
}

/// To whoever has paid in nothing for a while.
#[derive(Debug, PartialEq, Message, Serialize, Deserialize)]
#[message(topic = "reminders", key = account)]
pub(crate) struct Reminder {
    pub(crate) account: String,
}
