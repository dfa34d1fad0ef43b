//! Handlers as services: what goes in, what comes out.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::delivery::StateValue;
use crate::dependencies::Dependencies;
use crate::envelope::{Context, Envelope};
use crate::outcome::StateChange;
use crate::policy::Order;
use crate::prelude::*;
use crate::stream::{PartitionId, Position};

mod arguments;
mod delaying;
mod failing;
mod layering;
mod returns;

#[derive(Message, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[message(topic = "deposits", key = account)]
struct Deposit {
    account: String,
    cents: i64,
}

#[derive(Message, Serialize, Deserialize, Debug, PartialEq)]
#[message(key = account)]
struct Deposited {
    account: String,
    balance: i64,
}

#[derive(Message, Serialize, Deserialize, Debug, PartialEq)]
struct Note {
    text: String,
}

#[derive(State, Default, Serialize, Deserialize, Debug, PartialEq)]
#[state(name = "account")]
struct Account {
    balance: i64,
}

struct Limits {
    max: i64,
}

/// The service of the first handler of a group.
fn service(handlers: Handlers, dependencies: &Dependencies) -> HandlerService {
    let entries = handlers.into_entries();
    entries[0].build(dependencies, &Layers::default()).unwrap()
}

fn deposit_of(cents: i64) -> Deposit {
    Deposit { account: "a-1".into(), cents }
}

fn delivery<M: Message>(message: &M, states: Vec<Option<StateValue>>) -> Delivery {
    let partition = PartitionId {
        cluster: "test".into(),
        topic: M::TOPIC.into(),
        incarnation: 1,
        partition: 0,
    };
    let envelope = Envelope {
        time_ms: 0,
        position: Position::Foreign(Arc::new(partition), 7),
        topic: M::TOPIC.into(),
        type_name: M::TYPE.into(),
        key: message.key().map(Into::into),
        context: Context::default(),
        digest: None,
        headers: [("tenant", "north")].into_iter().collect(),
        body: serde_json::to_vec(message).unwrap().into(),
    };
    Delivery {
        handler: "tested".into(),
        envelope: Arc::new(envelope),
        attempt: 3,
        late: false,
        states,
        read_back: None,
        begun: None,
    }
}

fn stored(schema: u32, json: Value) -> StateValue {
    StateValue { schema, json: Bytes::from(json.to_string()) }
}

/// What is sent, as topic, type, key and body.
fn sent(outcome: &Outcome) -> Vec<(&str, &str, Option<&str>, Value)> {
    let read = |body: &[u8]| serde_json::from_slice(body).unwrap();
    let sends = outcome.sends().iter();
    sends.map(|s| (&*s.topic, &*s.type_name, s.key.as_deref(), read(&s.body))).collect()
}

#[handler]
async fn deposit(cmd: Deposit, account: &mut Account, limits: &Limits) -> Result<Deposited> {
    if cmd.cents > limits.max {
        return Err(HandlerError::permanent("over the limit"));
    }
    account.balance += cmd.cents;
    Ok(Deposited { account: cmd.account, balance: account.balance })
}

fn provided() -> Dependencies {
    let mut dependencies = Dependencies::default();
    dependencies.provide(Limits { max: 10_000 });
    dependencies
}

#[tokio::test]
async fn a_handler_is_a_plain_function_and_a_service() {
    let mut account = Account { balance: 50 };
    let limits = Limits { max: 10_000 };
    let plain = deposit(deposit_of(100), &mut account, &limits).await.unwrap();
    assert_eq!((plain.balance, account.balance), (150, 150));

    let service = service(handlers![deposit], &provided());
    let before = vec![Some(stored(1, json!({ "balance": 50 })))];
    let outcome = service.oneshot(delivery(&deposit_of(100), before)).await.unwrap();
    assert_eq!(outcome.states(), [StateChange::Put(stored(1, json!({ "balance": 150 })))]);
    let body = json!({ "account": "a-1", "balance": 150 });
    assert_eq!(sent(&outcome), [("deposited", "Deposited", Some("a-1"), body)]);
}

#[test]
fn a_specification_says_what_a_handler_is() {
    let handlers = handlers![deposit];
    let spec = handlers.specs().next().unwrap();
    assert_eq!((spec.name, spec.topic, spec.type_name), ("deposit", "deposits", "Deposit"));
    assert!(spec.keyed);
    assert_eq!(spec.order, Order::Key);
    assert_eq!(spec.states, [crate::state::StateSpec::of::<Account>()]);
    assert_eq!(spec.dependencies, [std::any::type_name::<Limits>()]);
    assert!(spec.location.file.ends_with("tests.rs"), "{}", spec.location);
}

#[test]
fn a_missing_dependency_is_found_when_the_service_is_built() {
    let entries = handlers![deposit].into_entries();
    let error = entries[0].build(&Dependencies::default(), &Layers::default()).unwrap_err();
    assert!(error.type_name.ends_with("Limits"));
}

#[tokio::test]
async fn a_handlers_error_is_the_services() {
    let service = service(handlers![deposit], &provided());
    let error = service.oneshot(delivery(&deposit_of(10_001), vec![None])).await.unwrap_err();
    assert!(crate::error::is_permanent(&*error));
    assert_eq!(error.to_string(), "over the limit");
}

#[test]
fn options_name_and_order() {
    #[handler(name = "audit.v2", order = none)]
    fn audit(_: Note) {}

    let handlers = handlers![audit];
    let spec = handlers.specs().next().unwrap();
    assert_eq!((spec.name, spec.order, spec.keyed), ("audit.v2", Order::None, false));
}

#[tokio::test]
async fn a_message_whose_body_names_another_key_is_refused() {
    #[derive(Message, Serialize, Deserialize)]
    #[message(key = account)]
    struct Keyed {
        account: String,
    }
    #[handler]
    async fn keyed(_: Keyed) {}
    let entries = handlers![keyed].into_entries();
    let service = entries[0].build(&Dependencies::default(), &Layers::default()).unwrap();
    let mut other = delivery(&Keyed { account: "a".into() }, vec![]);
    service.clone().oneshot(other.clone()).await.unwrap();
    let envelope = Envelope { key: Some("b".into()), ..(*other.envelope).clone() };
    other.envelope = Arc::new(envelope);
    let error = service.oneshot(other).await.unwrap_err();
    let differs = error.downcast::<crate::message::KeyDiffers>().unwrap();
    assert_eq!((&*differs.subject, &*differs.key), ("b", "a"));
}
