//! A bank: two handlers share an account, and what they depend on is provided from outside.

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use framework::prelude::*;
use framework::{Config, Running};
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::timeout::TimeoutLayer;

mod messages;
mod rates;
#[cfg(test)]
mod tests;

use messages::{Close, Closed, Deposit, Paid, Payroll, Refused, Reminder, Withdraw};
use rates::{FixedRates, Rates};

/// What the bank keeps of each account.
#[derive(State, Default, Serialize, Deserialize)]
#[state(name = "account")]
struct Account {
    cents: i64,
}

struct Limits {
    withdrawal_cents_max: i64,
}

/// The name under which a reminder waits.
const REMINDER: &str = "reminder";

/// Each deposit puts the reminder off: of one name and key only the last one waits.
#[handler]
async fn deposit(
    cmd: Deposit,
    account: &mut Account,
    rates: &dyn Rates,
) -> Result<(Paid, Outgoing<Reminder>)> {
    if cmd.amount <= 0 {
        return Err(HandlerError::permanent("a deposit is above zero"));
    }
    account.cents += cmd.amount * rates.cents_of(&cmd.currency).await?;
    let reminder = Reminder { account: cmd.account.clone() };
    let later = reminder.delay(Duration::from_secs(60)).named(REMINDER);
    Ok((Paid { account: cmd.account, balance: account.cents }, later))
}

/// A refusal is an answer, not an error: it is sent like any other.
#[handler]
async fn withdraw(
    cmd: Withdraw,
    account: &mut Account,
    limits: &Limits,
) -> (Option<Paid>, Option<Refused>) {
    if cmd.cents > account.cents.min(limits.withdrawal_cents_max) {
        return (None, Some(Refused { account: cmd.account, cents: cmd.cents }));
    }
    account.cents -= cmd.cents;
    (Some(Paid { account: cmd.account, balance: account.cents }), None)
}

/// Takes the account away, if there is one. Nobody is reminded of it any more.
#[handler]
async fn close(cmd: Close, account: &mut Option<Account>, outbox: &mut Outbox) -> Option<Closed> {
    outbox.cancel::<Reminder>(&cmd.account, REMINDER);
    account.take().map(|closed| Closed { account: cmd.account, paid_out: closed.cents })
}

/// All deposits of a payroll are sent in one commit, or none.
#[handler]
async fn payroll(cmd: Payroll, outbox: &mut Outbox) {
    for (account, amount) in cmd.salaries {
        outbox.send(Deposit { account, amount, currency: "EUR".into() });
    }
}

#[handler]
async fn statement(event: Paid) {
    println!("{}: {} cents", event.account, event.balance);
}

#[handler]
async fn remind(event: Reminder) {
    println!("{}: nothing was paid in for a minute", event.account);
}

fn app() -> App {
    // Rates come from outside and may hang; no more than 64 deliveries may be under way at a time.
    let patience = TimeoutLayer::new(Duration::from_secs(5));
    let accounts = handlers![deposit.layer(patience), withdraw, close]
        .layer(GlobalConcurrencyLimitLayer::new(64));
    App::new("bank")
        .layer(Trace::new())
        .provide(Limits { withdrawal_cents_max: 100_000 })
        .provide_arc::<dyn Rates>(Arc::new(FixedRates))
        .handlers(accounts)
        .handlers(handlers![payroll, statement, remind])
}

/// A bank: pays in, pays out, and pays a payroll, until ctrl-c.
#[derive(Parser)]
struct Arguments {}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments {} = Arguments::parse();
    tracing_subscriber::fmt().init();
    let running = Running::start(Config::load()?, [app()]).await?;
    let teller = running.service("bank").ok_or("the bank was not started")?.producer();

    // Each has a number at its source: when this runs again, none is sent again.
    let salaries = vec![("ada".into(), 3_000), ("grace".into(), 3_200)];
    let ada = || "ada".to_owned();
    teller.send_from("first-day", 1, Deposit::new(ada(), 50, "USD")).await?;
    teller.send_from("first-day", 2, Withdraw { account: ada(), cents: 2_000 }).await?;
    teller.send_from("first-day", 3, Payroll { salaries }).await?;

    println!("The bank is open until ctrl-c.");
    Ok(running.until_signal().await?)
}
