//! Each form of an argument.

use super::*;
use crate::message::InvalidMessage;
use crate::state::{InvalidState, StateError};

async fn handled(
    handlers: Handlers,
    cents: i64,
    state: Option<StateValue>,
) -> std::result::Result<Outcome, BoxError> {
    service(handlers, &provided()).oneshot(delivery(&deposit_of(cents), vec![state])).await
}

/// A state with a life cycle: an amount starts it or is added, zero ends it.
#[handler]
async fn total(cmd: Deposit, account: &mut Option<Account>) {
    match cmd.cents {
        0 => *account = None,
        1 => {}
        cents => account.get_or_insert_default().balance += cents,
    }
}

#[handler]
async fn add(cmd: Deposit, account: &mut Account) {
    account.balance += cmd.cents;
}

fn balance(balance: i64) -> StateValue {
    stored(1, json!({ "balance": balance }))
}

#[tokio::test]
async fn an_unchanged_state_is_the_same() {
    let same = [StateChange::Same];
    assert_eq!(handled(handlers![add], 0, Some(balance(5))).await.unwrap().states(), same);
    assert_eq!(handled(handlers![add], 0, None).await.unwrap().states(), same);
    assert_eq!(handled(handlers![total], 1, Some(balance(5))).await.unwrap().states(), same);
    assert_eq!(handled(handlers![total], 0, None).await.unwrap().states(), same);
}

#[tokio::test]
async fn a_changed_state_is_put_and_an_ended_one_deleted() {
    let put = |cents| [StateChange::Put(balance(cents))];
    assert_eq!(handled(handlers![add], 2, Some(balance(5))).await.unwrap().states(), put(7));
    assert_eq!(handled(handlers![add], 2, None).await.unwrap().states(), put(2));
    assert_eq!(handled(handlers![total], 2, Some(balance(5))).await.unwrap().states(), put(7));
    assert_eq!(handled(handlers![total], 2, None).await.unwrap().states(), put(2));
    let ended = handled(handlers![total], 0, Some(balance(5))).await.unwrap();
    assert_eq!(ended.states(), [StateChange::Delete]);
}

#[derive(State, Default, Serialize, Deserialize)]
#[state(name = "account", version = 3, upcast = to_next)]
struct Third {
    amounts: Vec<i64>,
}

fn to_next(from: u32, old: Value) -> Result<Value, BoxError> {
    match from {
        1 => Ok(json!({ "amount": old["balance"] })),
        2 => Ok(json!({ "amounts": [old["amount"]] })),
        other => Err(format!("no version {other}").into()),
    }
}

#[handler]
async fn third(cmd: Deposit, account: &mut Third) {
    account.amounts.extend((cmd.cents != 0).then_some(cmd.cents));
}

#[tokio::test]
async fn an_older_state_goes_through_each_version() {
    let outcome = handled(handlers![third], 2, Some(balance(5))).await.unwrap();
    assert_eq!(outcome.states(), [StateChange::Put(stored(3, json!({ "amounts": [5, 2] })))]);
    let second = stored(2, json!({ "amount": 5 }));
    let outcome = handled(handlers![third], 0, Some(second)).await.unwrap();
    assert_eq!(outcome.states(), [StateChange::Put(stored(3, json!({ "amounts": [5] })))]);
}

#[tokio::test]
async fn a_state_that_cannot_be_read_says_which_and_why() {
    let invalid = async |stored| {
        let error = handled(handlers![third], 0, Some(stored)).await.unwrap_err();
        *error.downcast::<InvalidState>().unwrap()
    };
    let newer = invalid(stored(4, json!({}))).await;
    assert_eq!((&*newer.handler, &*newer.key), ("tested", "a-1"));
    assert!(matches!(newer.source, StateError::Newer { found: 4, current: 3, .. }), "{newer:?}");
    let zero = invalid(stored(0, json!({}))).await;
    assert!(matches!(zero.source, StateError::Upcast { from: 0, .. }), "{zero:?}");
    let json = invalid(stored(3, json!({ "amounts": "many" }))).await;
    assert!(matches!(json.source, StateError::Json { found: 3, .. }), "{json:?}");
}

#[tokio::test]
async fn a_message_that_cannot_be_read_says_which_and_why() {
    let mut delivery = delivery(&deposit_of(1), vec![None]);
    Arc::make_mut(&mut delivery.envelope).body = Bytes::from_static(b"{}");
    let error = service(handlers![add], &provided()).oneshot(delivery).await.unwrap_err();
    let error = error.downcast_ref::<InvalidMessage>().unwrap();
    assert_eq!((&*error.handler, error.type_name), ("tested", "Deposit"));
    assert!(error.position.ends_with("@7"), "{error}");
}

#[tokio::test]
async fn several_states_keep_their_places() {
    #[derive(State, Default, Serialize, Deserialize)]
    #[state(name = "count")]
    struct Count(u64);

    #[handler]
    async fn both(
        _: Deposit,
        count: &mut Count,
        outbox: &mut Outbox,
        account: &mut Option<Account>,
        third: &mut Third,
    ) {
        count.0 += 1;
        outbox.send(Note { text: "between".into() });
        *account = None;
        third.amounts.clear();
    }
    let states = vec![None, Some(balance(5)), Some(stored(3, json!({ "amounts": [] })))];
    let handlers = handlers![both];
    let names: Vec<_> = handlers.specs().next().unwrap().states.iter().map(|s| s.name).collect();
    assert_eq!(names, ["count", "account", "account"]);
    let service = service(handlers, &provided());
    let outcome = service.oneshot(delivery(&deposit_of(1), states)).await.unwrap();
    let put = StateChange::Put(stored(1, json!(1)));
    assert_eq!(outcome.states(), [put, StateChange::Delete, StateChange::Same]);
}

#[tokio::test]
async fn what_is_read_from_the_delivery() {
    #[handler]
    async fn read(
        Deposit { mut account, cents: _ }: Deposit,
        Attempt(attempt): Attempt,
        headers: Headers,
        MessageId(id): MessageId,
        Late(late): Late,
    ) -> Note {
        account.push_str(headers.get("tenant").unwrap());
        Note { text: format!("{account} {attempt} {id} {late}") }
    }
    let outcome = handled(handlers![read], 1, None).await.unwrap();
    let body = json!({ "text": "a-1north 3 test/deposits.1/0@7 false" });
    assert_eq!(sent(&outcome), [("note", "Note", None, body)]);
}

#[tokio::test]
async fn dependencies_may_be_trait_objects() {
    trait Gateway: Send + Sync {
        fn charge(&self, cents: i64) -> i64;
    }
    struct Double;
    impl Gateway for Double {
        fn charge(&self, cents: i64) -> i64 {
            cents * 2
        }
    }
    #[handler]
    async fn charge(cmd: Deposit, gateway: &dyn Gateway, limits: &Limits) -> Note {
        // Held across an await, as a real gateway is.
        tokio::task::yield_now().await;
        Note { text: format!("{} of {}", gateway.charge(cmd.cents), limits.max) }
    }
    let mut dependencies = provided();
    dependencies.provide_arc::<dyn Gateway>(Arc::new(Double));
    let service = service(handlers![charge], &dependencies);
    let outcome = service.oneshot(delivery(&deposit_of(4), vec![])).await.unwrap();
    assert_eq!(sent(&outcome)[0].3, json!({ "text": "8 of 10000" }));
}

#[tokio::test]
async fn the_outbox_goes_before_what_is_returned() {
    #[handler]
    async fn several(cmd: Deposit, outbox: &mut Outbox) -> Deposited {
        for text in ["1", "2"] {
            outbox.send(Note { text: text.into() });
        }
        outbox.send(cmd.clone());
        Deposited { account: cmd.account, balance: 0 }
    }
    let outcome = handled(handlers![several], 1, None).await.unwrap();
    let types: Vec<_> = sent(&outcome).into_iter().map(|(_, type_name, ..)| type_name).collect();
    assert_eq!(types, ["Note", "Note", "Deposit", "Deposited"]);

    let mut outbox = Outbox::new();
    several(deposit_of(1), &mut outbox).await;
    assert_eq!(outbox.sent::<Note>().count(), 2);
    assert_eq!(outbox.sent::<Deposit>().next(), Some(deposit_of(1)));
}
