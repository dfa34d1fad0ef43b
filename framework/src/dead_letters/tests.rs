//! What an operator sees and does, over a shelf in place of a store.

use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::clock::Clock;
use crate::delivery::StateValue;
use crate::envelope::{Context, Envelope, Headers};
use crate::operator::Operate;
use crate::status::Reason;
use crate::store::{
    Claim, Failure, How, InvalidMessage, Kept, KeptMessage, Reader, StoreError, StoredState, Timer,
    TimerId, Totals, Unhandled,
};
use crate::stream::{Key, PartitionId, Position};

/// Kept deliveries, invalid messages, and what was asked for.
#[derive(Debug, Default)]
struct Shelf {
    kept: Vec<KeptMessage>,
    invalid: Vec<(u64, InvalidMessage)>,
    asked: Mutex<Vec<Act>>,
}

#[async_trait]
impl Reader for Shelf {
    async fn states(&self, _: Vec<(Arc<str>, Key)>) -> Result<Vec<StoredState>, StoreError> {
        Ok(Vec::new())
    }

    async fn scan(
        &self,
        _: Arc<str>,
        _: Option<Key>,
        _: usize,
    ) -> Result<Vec<(Key, StateValue)>, StoreError> {
        Ok(Vec::new())
    }

    async fn state_names(&self) -> Result<Vec<Arc<str>>, StoreError> {
        Ok(Vec::new())
    }

    async fn sent_from(&self, _: &str) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn schedules(&self) -> Result<Vec<crate::store::Scheduled>, StoreError> {
        Ok(Vec::new())
    }

    async fn sources(
        &self,
        _: Option<Arc<str>>,
        _: usize,
    ) -> Result<Vec<(Arc<str>, u64)>, StoreError> {
        Ok(Vec::new())
    }

    async fn sent(&self) -> Result<Vec<(Arc<str>, u64)>, StoreError> {
        Ok(Vec::new())
    }

    async fn kept(&self, after: Option<u64>, most: usize) -> Result<Vec<Kept>, StoreError> {
        let behind = self.kept.iter().map(|one| &one.kept);
        let behind = behind.filter(|kept| after.is_none_or(|after| kept.number > after));
        Ok(behind.take(most).cloned().collect())
    }

    async fn unhandled(&self, _: Option<u64>, _: usize) -> Result<Vec<Unhandled>, StoreError> {
        Ok(Vec::new())
    }

    async fn kept_messages(
        &self,
        numbers: Vec<u64>,
    ) -> Result<Vec<Option<KeptMessage>>, StoreError> {
        let find = |number| self.kept.iter().find(|one| one.kept.number == number).cloned();
        Ok(numbers.into_iter().map(find).collect())
    }

    async fn timers(&self, _: Option<TimerId>, _: usize) -> Result<Vec<Timer>, StoreError> {
        Ok(Vec::new())
    }

    async fn invalid(
        &self,
        after: Option<u64>,
        most: usize,
    ) -> Result<Vec<(u64, InvalidMessage)>, StoreError> {
        let behind = |(number, _): &&(u64, _)| after.is_none_or(|after| *number > after);
        Ok(self.invalid.iter().filter(behind).take(most).cloned().collect())
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        Ok(Totals { dead: 40, held: 1, ..Totals::default() })
    }
}

#[async_trait]
impl Operate for Shelf {
    async fn act(&self, act: Act) -> Result<Vec<Fate>, OperatorError> {
        self.asked.lock().unwrap().push(act.clone());
        let numbers = match act {
            Act::Replay(numbers)
            | Act::Discard(numbers)
            | Act::ReplayInvalid(numbers)
            | Act::DiscardInvalid(numbers)
            | Act::DiscardUnhandled(numbers) => numbers,
            Act::AcceptLost(_) | Act::CancelTimers(_) | Act::SetState(_) | Act::RetireSource(_) => {
                return Err(OperatorError::NotRunning);
            }
        };
        Ok(numbers.into_iter().map(|number| Fate::of(number <= 40)).collect())
    }
}

fn kept(number: u64, handler: &str, key: &str, wait: Wait, errors: &[&str]) -> KeptMessage {
    let partition =
        PartitionId { cluster: "c".into(), topic: "t".into(), incarnation: 1, partition: 0 };
    let position = Position::Foreign(Arc::new(partition), number);
    let key: Key = key.into();
    let envelope = Envelope {
        time_ms: 0,
        position: position.clone(),
        topic: "t".into(),
        type_name: "T".into(),
        key: Some(Arc::clone(&key)),
        context: Context::default(),
        digest: None,
        headers: [("tenant", "north")].into_iter().collect(),
        body: "{\"n\":1}".into(),
    };
    let errors: Vec<String> = errors.iter().map(|&error| error.to_owned()).collect();
    let failure = Failure { at_ms: 7, attempt: 3, how: How::Failed, errors };
    let handler: Arc<str> = handler.into();
    KeptMessage {
        kept: Kept {
            number,
            position,
            handler: Arc::clone(&handler),
            key: Some(key),
            since_ms: 5,
            wait,
            attempts: 3,
            late: false,
            bytes: 7,
        },
        envelope: Arc::new(envelope),
        handlers: [handler].into(),
        failures: vec![failure],
    }
}

/// Dead letters 1 to 40 of two handlers, one hold behind the first, two invalid messages.
fn shelf() -> (Arc<Shelf>, DeadLetters) {
    let dead = |number: u64| {
        let handler = if number.is_multiple_of(2) { "even" } else { "odd" };
        let error = if number.is_multiple_of(10) { "Refused" } else { "full" };
        let wait = Wait::Dead { since_ms: number * 100, skip_ms: None };
        kept(number, handler, &format!("k{number}"), wait, &["it failed", error])
    };
    let mut all: Vec<KeptMessage> = (1..=40).map(dead).collect();
    all.push(kept(41, "odd", "k1", Wait::Held, &[]));
    let invalid = |number, reason: &str| {
        let headers: Headers = [("a", "b")].into_iter().collect();
        let message = InvalidMessage {
            at_ms: number * 100,
            partition: Arc::new(PartitionId {
                cluster: "c".into(),
                topic: "t".into(),
                incarnation: 1,
                partition: 0,
            }),
            offset: number,
            reason: reason.into(),
            key: None,
            headers: headers.as_bytes().clone(),
            body: vec![0xff, 0x01].into(),
            is_whole: true,
            claim: Claim::Open,
        };
        (number, message)
    };
    let invalid = vec![invalid(3, "no type"), invalid(4, "bad digest")];
    let shelf = Arc::new(Shelf { kept: all, invalid, ..Shelf::default() });
    let desk = Desk {
        service: "bank".into(),
        clock: Clock::fixed(0),
        reader: Arc::clone(&shelf) as Arc<dyn Reader>,
        components: Components::default(),
        broker: None,
        states: Vec::new(),
        operate: Arc::clone(&shelf) as Arc<dyn Operate>,
        live: None,
    };
    (shelf, DeadLetters { desk: Arc::new(desk) })
}

fn numbers(page: &Page<DeadLetter>) -> Vec<u64> {
    page.items.iter().map(|letter| letter.number).collect()
}

#[tokio::test]
async fn a_filter_lets_through_what_fits_all_of_it() {
    let (_, letters) = shelf();
    let all = Filter::new();
    assert_eq!(letters.count(&all).await.unwrap(), 40);
    let found = letters.list(&all.clone().handler("even").error("REFUSED")).await.unwrap();
    assert_eq!(numbers(&found), [10, 20, 30, 40]);
    assert_eq!(found.items[0].error, "it failed: Refused");
    let found = letters.list(&all.clone().key("k7")).await.unwrap();
    assert_eq!(numbers(&found), [7]);
    let found = letters.list(&all.clone().since_ms(200).until_ms(400)).await.unwrap();
    assert_eq!(numbers(&found), [2, 3], "from the one time up to the other");
    assert_eq!(letters.count(&all.handler("odd").error("refused")).await.unwrap(), 0);
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let (_, letters) = shelf();
    let (mut filter, mut seen) = (Filter::new().limit(15), Vec::new());
    loop {
        let page = letters.list(&filter).await.unwrap();
        seen.extend(numbers(&page));
        let Some(next) = page.next else { break };
        assert_eq!(page.items.len(), 15);
        filter = filter.after(next);
    }
    assert_eq!(seen, (1..=40).collect::<Vec<_>>());
    let exact = letters.list(&Filter::new().limit(40)).await.unwrap();
    assert_eq!((exact.items.len(), exact.next), (40, None));
}

#[tokio::test]
async fn one_is_shown_with_its_history_and_what_it_holds_up() {
    let (_, letters) = shelf();
    let shown = letters.show(1).await.unwrap().unwrap();
    assert_eq!(shown.letter.followers, 1);
    assert_eq!(shown.held[0].number, 41);
    assert_eq!(shown.body, Body::Text("{\"n\":1}".into()));
    assert_eq!(shown.headers, [("tenant".into(), "north".into())]);
    assert_eq!(shown.failures[0].errors, ["it failed", "full"]);
    assert_eq!(letters.show(41).await.unwrap(), None, "a hold is no dead letter");
    assert_eq!(letters.show(99).await.unwrap(), None);

    let holds = letters.holds(None, 10).await.unwrap();
    assert_eq!((holds.items.len(), holds.next), (1, None));
    let waits = &holds.items[0].waits_for;
    assert!(matches!(waits, WaitsFor::DeadLetter { number: 1, .. }), "{waits:?}");
}

#[tokio::test]
async fn what_is_chosen_is_asked_for_once_and_in_order() {
    let (shelf, letters) = shelf();
    let done = letters.replay([9, 2, 99, 2]).await.unwrap();
    assert_eq!((done.done, done.missing), (vec![2, 9], vec![99]));
    letters.discard(Filter::new().error("refused").limit(2)).await.unwrap();
    letters.replay(Filter::new().handler("odd").limit(2)).await.unwrap();
    letters.replay(7).await.unwrap();
    let asked = std::mem::take(&mut *shelf.asked.lock().unwrap());
    let replay = |numbers: &[u64]| Act::Replay(numbers.to_vec());
    let wanted = [replay(&[2, 9, 99]), Act::Discard(vec![10, 20]), replay(&[1, 3]), replay(&[7])];
    assert_eq!(asked, wanted);
}

#[tokio::test]
async fn invalid_messages_are_seen_byte_for_byte() {
    let (shelf, letters) = shelf();
    let invalid = letters.invalid();
    let listed = invalid.list(&Filter::new().error("digest")).await.unwrap();
    assert_eq!(listed.items.iter().map(|entry| entry.number).collect::<Vec<_>>(), [4]);
    let shown = invalid.show(3).await.unwrap().unwrap();
    assert_eq!(shown.body, Body::Hex("ff01".into()));
    assert_eq!(shown.headers, [(Body::Text("a".into()), Body::Text("b".into()))]);
    assert_eq!(invalid.show(5).await.unwrap(), None);
    invalid.discard(Filter::new()).await.unwrap();
    assert_eq!(*shelf.asked.lock().unwrap(), [Act::DiscardInvalid(vec![3, 4])]);
}

#[tokio::test]
async fn a_status_says_what_is_kept_and_what_holds_it_up() {
    let (_, letters) = shelf();
    let status = letters.desk.status().await.unwrap();
    assert_eq!(status.reasons, [Reason::Ended]);
    assert_eq!(status.kept.dead_by_handler["even"], 20);
    assert_eq!(status.kept.oldest_held_ms, Some(5));
    let closed = &status.kept.closed[0];
    assert_eq!((&*closed.handler, closed.key.as_deref(), closed.held), ("odd", Some("k1"), 1));
    let json = serde_json::to_string(&status).unwrap();
    assert_eq!(serde_json::from_str::<crate::status::Status>(&json).unwrap(), status);
}
