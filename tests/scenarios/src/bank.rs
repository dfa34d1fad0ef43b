//! A small service that the scenarios share: deposits move a balance and are confirmed.

use framework::prelude::*;

#[derive(Clone, Debug, PartialEq, Message, Serialize, Deserialize)]
#[message(topic = "deposits", key = account)]
pub(crate) struct Deposit {
    pub(crate) account: String,
    pub(crate) cents: i64,
}

#[derive(Clone, Debug, PartialEq, Message, Serialize, Deserialize)]
#[message(topic = "deposited", key = account)]
pub(crate) struct Deposited {
    pub(crate) account: String,
    pub(crate) balance: i64,
}

#[derive(Clone, Debug, Default, PartialEq, State, Serialize, Deserialize)]
#[state(name = "account")]
pub(crate) struct Account {
    pub(crate) balance: i64,
    pub(crate) history: Vec<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, State, Serialize, Deserialize)]
#[state(name = "audit")]
pub(crate) struct Audit {
    pub(crate) balances: Vec<i64>,
}

#[handler]
pub(crate) async fn deposit(cmd: Deposit, account: &mut Account) -> Result<Deposited> {
    if cmd.cents < 0 {
        return Err(HandlerError::permanent("a deposit is not negative"));
    }
    account.balance += cmd.cents;
    account.history.push(cmd.cents);
    Ok(Deposited { account: cmd.account, balance: account.balance })
}

#[handler]
pub(crate) async fn audit(event: Deposited, audit: &mut Audit) {
    audit.balances.push(event.balance);
}

pub(crate) fn app() -> App {
    App::new("bank").layer(Trace::new()).handlers(handlers![deposit, audit])
}

pub(crate) fn deposit_of(account: &str, cents: i64) -> Deposit {
    Deposit { account: account.into(), cents }
}
