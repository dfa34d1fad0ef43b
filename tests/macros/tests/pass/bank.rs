//! The forms of arguments, options and returns, with every lint of a careful crate denied.
#![deny(missing_docs, unreachable_pub, unused, unused_qualifications, clippy::all)]
#![deny(missing_debug_implementations, single_use_lifetimes, unused_results)]

use framework::prelude::*;

/// A message of three options.
#[derive(Debug, Message, Serialize, Deserialize)]
#[message(topic = "deposits", type = "bank.deposit", key = order.account)]
pub struct Deposit {
    order: Order,
    cents: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    account: u64,
}

/// A message of none.
#[derive(Debug, Message, Serialize, Deserialize)]
pub struct BankClosed;

/// An enum without a key.
#[derive(Debug, Message, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Notice {
    Small,
    Large { cents: i64 },
}

/// A tuple's field as a key.
#[derive(Debug, Message, Serialize, Deserialize)]
#[message(key = 0)]
pub struct Tuple(String);

/// A state.
#[derive(Debug, Default, State, Serialize, Deserialize)]
pub struct Account {
    balance: i64,
}

/// A state of an enum, for a life cycle.
#[derive(Debug, State, Serialize, Deserialize)]
#[state(name = "transfer", version = 2, upcast = upcast)]
#[allow(missing_docs)]
pub enum Transfer {
    Started,
    Booked,
}

fn upcast(_from: u32, old: serde_json::Value) -> Result<serde_json::Value, framework::error::BoxError> {
    Ok(old)
}

/// What a handler is given.
pub trait Gateway: Send + Sync {
    /// Whether it is open.
    fn open(&self) -> bool;
}

/// Doc comments, patterns, cfg and other attributes stay.
#[handler(name = "bank.deposit", order = key)]
#[cfg(not(any()))]
#[allow(clippy::too_many_arguments)]
#[must_use]
pub async fn deposit(
    Deposit { order, mut cents }: Deposit,
    account: &mut Account,
    transfer: &mut Option<Transfer>,
    outbox: &mut Outbox,
    gateway: &dyn Gateway,
    limit: &(dyn Fn(i64) -> bool + Send + Sync),
    Attempt(attempt): Attempt,
    mut headers: Headers,
    id: MessageId,
) -> Result<(Option<Outgoing<Notice>>, Vec<Tuple>)> {
    if !gateway.open() || limit(cents) {
        return Err(HandlerError::permanent("closed"));
    }
    cents += i64::from(attempt);
    headers = headers.with([("id", &*id.0)]);
    account.balance += cents;
    *transfer = match transfer.take() {
        None => Some(Transfer::Started),
        Some(_) => Some(Transfer::Booked),
    };
    outbox.send(Notice::Large { cents });
    let notice = Notice::Small.to("notices").header("count", &headers.iter().count().to_string());
    Ok((Some(notice), vec![Tuple(order.account.to_string())]))
}

#[handler]
#[cfg(any())]
async fn never_compiled(cmd: NoSuchType) {}

mod module {
    use super::BankClosed;
    use framework::prelude::*;

    #[handler(order = none)]
    pub(crate) fn close(_: BankClosed) {}

    // Handlers that are called as what the macro writes.
    #[handler]
    pub(crate) async fn call(delivery: BankClosed, dependencies: &u64) {
        let _ = (delivery, dependencies);
    }

    #[handler]
    pub(crate) async fn r#move(_: BankClosed) {}
}

use module::r#move;

macro_rules! make {
    ($name:ident, $message:ty, $state:ty) => {
        #[handler]
        async fn $name(_: $message, state: &mut $state) {
            state.balance += 1;
        }
    };
}
make!(made, Deposit, Account);

fn main() {
    let handlers = handlers![deposit, module::close, module::call, r#move, made,];
    let names: Vec<_> = handlers.specs().map(|spec| spec.name).collect();
    assert_eq!(names, ["bank.deposit", "close", "call", "move", "made"]);
    let spec = handlers.specs().next();
    assert_eq!(spec.map(|spec| spec.location.line), Some(67));
    let empty = handlers![];
    assert_eq!(empty.specs().count(), 0);
}
