//! Orders and their payments: two services, and what becomes of a payment that fails.

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use framework::{Config, Running};

mod gateway;
mod messages;
mod payments;
mod shop;
#[cfg(test)]
mod tests;

use gateway::Sandbox;
use messages::PlaceOrder;

/// Orders and their payments, until ctrl-c.
#[derive(Parser)]
struct Arguments {
    /// Say `register`, and the gateway knows the card that it did not.
    #[arg(value_parser = ["register"])]
    register: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { register } = Arguments::parse();
    tracing_subscriber::fmt().init();
    let gateway = Sandbox::default();
    if register.is_some() {
        gateway.register();
    }
    // Who tries this out has less patience than who sells something.
    let apps = [shop::app(Duration::from_secs(10)), payments::app(Arc::new(gateway))];
    let running = Running::start(Config::load()?, apps).await?;
    let counter = running.service("shop").ok_or("the shop was not started")?.producer();

    // Each has a number at its source: when this runs again, none is placed again.
    let orders = [("kettle", "good"), ("lamp", "slow"), ("chair", "empty"), ("clock", "new")];
    for (number, (item, card)) in (1..).zip(orders) {
        let order = PlaceOrder {
            order: format!("order-{number}"),
            item: item.to_owned(),
            cents: 1_900,
            card: card.to_owned(),
        };
        counter.send_from("first-day", number, order).await?;
    }
    println!("The shop is open until ctrl-c.");
    Ok(running.until_signal().await?)
}
