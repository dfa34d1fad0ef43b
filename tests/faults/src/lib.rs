//! Two services on one broker, whose disk fails.

use std::sync::Arc;

use framework::Config;
use framework::broker::embedded::EmbeddedOptions;
use framework::prelude::*;
use framework::store::sled::SledOptions;

/// The keys of all messages but those of cold keys.
pub const KEYS: u64 = 24;

/// From this number on, orders are of cold keys.
pub const COLD: u64 = 1 << 32;

/// Cold keys: each is met once in a run, and they are so many that what is stored of them does not
/// fit into memory.
pub const COLD_KEYS: u64 = 2_400;

/// One order.
#[derive(Clone, Debug, Message, Serialize, Deserialize)]
#[message(topic = "orders", key = key)]
pub struct Order {
    key: Arc<str>,
    n: u64,
    text: String,
}

impl Order {
    /// The `n`th, large enough to fill files soon; smaller where there are many.
    pub fn of(n: u64) -> Self {
        let length = if n < COLD { 600 } else { 60 };
        Order { key: key_of(n), n, text: "x".repeat(length) }
    }
}

/// The key of the `n`th order.
pub fn key_of(n: u64) -> Arc<str> {
    match n.checked_sub(COLD) {
        None => format!("key-{}", n % KEYS).into(),
        Some(cold) => format!("cold-{}", cold % COLD_KEYS).into(),
    }
}

/// What follows from an order.
#[derive(Message, Serialize, Deserialize)]
#[message(topic = "invoices", key = key)]
struct Invoice {
    key: Arc<str>,
    n: u64,
}

/// What was ordered with a key, in order.
#[derive(Debug, Default, State, Serialize, Deserialize)]
pub struct Ordered {
    /// The numbers.
    pub numbers: Vec<u64>,
    /// What makes its row one of several pages.
    text: String,
}

/// What was invoiced with a key, in order.
#[derive(Debug, Default, State, Serialize, Deserialize)]
pub struct Invoiced {
    /// The numbers.
    pub numbers: Vec<u64>,
}

#[handler]
fn order(order: Order, ordered: &mut Ordered) -> Invoice {
    ordered.numbers.push(order.n);
    ordered.text = order.text.repeat(8);
    Invoice { key: order.key, n: order.n }
}

#[handler]
fn invoice(invoice: Invoice, invoiced: &mut Invoiced) {
    invoiced.numbers.push(invoice.n);
}

/// The services.
pub fn apps() -> [App; 2] {
    [App::new("shop").handlers(handlers![order]), App::new("bank").handlers(handlers![invoice])]
}

/// Files so small that each of them is filled, and memory so small that files are read.
pub fn config(directory: &str) -> Config {
    let mut config = Config::from(std::path::Path::new(directory));
    config.store.embedded = SledOptions {
        segment_bytes: 64 << 10,
        journal_segments_max: 2,
        cache_bytes_max: 64 << 10,
        ..SledOptions::default()
    };
    config.broker.embedded = EmbeddedOptions {
        segment_bytes: 32 << 10,
        cache_bytes_max: 8 << 10,
        ..EmbeddedOptions::default()
    };
    config
}
