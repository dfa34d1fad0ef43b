//! Handlers that do what the message says: succeed, fail, wait, or are not ready.

use std::collections::BTreeMap;

use crate::core::calls::{
    Begun, Called, Calls, Change, Decoded, Delivery, Failed, Outcome, SendOut, StateIn, StateOut,
};
use crate::ids::{HandlerIx, NameNo, RunId};
use crate::random;
use crate::store::How;

/// The topic and the type of what handlers send.
pub(super) const SENT_TOPIC: NameNo = NameNo(90);
pub(super) const SENT_TYPE: NameNo = NameNo(91);

/// A message's number, and its key's: all that its body says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(pub(super) u32);

/// What a state says: each message that a handler was done with, in order.
pub(super) type History = Vec<(Id, HandlerIx)>;

/// What one handler does with one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Script {
    /// So many attempts fail.
    pub(super) fails: u32,
    /// So many polls are pending.
    pub(super) pends: u32,
    /// It fails for good, until all are cured.
    pub(super) is_poison: bool,
    /// What it does with its states.
    pub(super) writes: Writes,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Writes {
    /// Notes the message.
    #[default]
    Note,
    Nothing,
    Delete,
}

#[derive(Debug, Default)]
pub(super) struct Handlers {
    /// Scripts that are set; any other message succeeds, or does as its seed says.
    pub(super) scripts: BTreeMap<(Id, HandlerIx), Script>,
    /// Makes up a script for each message; 0: none.
    pub(super) seed: u64,
    /// Poison is none any more.
    pub(super) is_cured: bool,
    /// Handlers that take no call.
    pub(super) unready: Vec<HandlerIx>,
    pub(super) pending: BTreeMap<RunId, (HandlerIx, Delivery, u32)>,
    /// Calls by message and handler, with the attempt and whether it was late.
    pub(super) called: Vec<(Id, HandlerIx, u32, bool)>,
    pub(super) begun: Vec<Begun>,
    /// What was begun and not called yet.
    announced: Vec<Begun>,
}

impl Handlers {
    pub(super) fn script(&self, id: Id, handler: HandlerIx) -> Script {
        if let Some(script) = self.scripts.get(&(id, handler)) {
            return *script;
        }
        if self.seed == 0 {
            return Script::default();
        }
        let dice = random::nth(self.seed, u64::from(id.0) << 16 | u64::from(handler.0));
        let pends = if dice.is_multiple_of(5) { (dice >> 8) as u32 % 4 } else { 0 };
        let fails = if dice.is_multiple_of(7) { (dice >> 16) as u32 % 3 } else { 0 };
        Script { fails, pends, is_poison: dice.is_multiple_of(61), writes: Writes::Note }
    }

    /// Runs that may be woken.
    pub(super) fn waiting(&self) -> Vec<RunId> {
        self.pending.keys().copied().collect()
    }

    fn end(&mut self, handler: HandlerIx, delivery: Delivery) -> Called {
        let id = id_of(&delivery);
        let script = self.script(id, handler);
        if script.is_poison && !self.is_cured {
            let errors = vec!["poison".to_owned()];
            return Called::Failed(Failed { how: How::FailedForGood, errors });
        }
        if delivery.attempt <= script.fails && !self.is_cured {
            return Called::Failed(Failed { how: How::Failed, errors: vec!["not now".into()] });
        }
        Called::Done(outcome(id, handler, script.writes, delivery))
    }
}

pub(super) fn id_of(delivery: &Delivery) -> Id {
    Id(std::str::from_utf8(delivery.message.body()).unwrap().parse().unwrap())
}

/// Notes the message in each state, and sends one message for each state, and one if there is none.
fn outcome(id: Id, handler: HandlerIx, writes: Writes, delivery: Delivery) -> Outcome {
    let key = delivery.message.key().map(str::to_owned);
    let mut outcome = Outcome { buffer: delivery.buffer, ..Outcome::default() };
    assert!(outcome.buffer.is_empty());
    for state in delivery.states {
        let mut history: History = match state {
            StateIn::Absent => Vec::new(),
            StateIn::Stored { json, .. } => parse(&json),
            StateIn::Decoded(value) => {
                *value.into_inner().unwrap().downcast::<History>().expect("its own value")
            }
        };
        if writes != Writes::Note {
            let change = if writes == Writes::Delete { Change::Delete } else { Change::Same };
            let decoded = Some(Decoded::new(Box::new(history)));
            outcome.states.push(StateOut { change, decoded });
            continue;
        }
        history.push((id, handler));
        let json = outcome.put(&text(&history));
        let decoded = Some(Decoded::new(Box::new(history)));
        outcome.states.push(StateOut { change: Change::Put { schema: 1, json }, decoded });
    }
    let body = outcome.put(format!("{}/{}", id.0, handler.0).as_bytes());
    let key = key.map(|key| outcome.put(key.as_bytes()));
    let (topic, type_name, headers) = (SENT_TOPIC, SENT_TYPE, 0..0);
    outcome.sends.push(SendOut { topic, type_name, key, headers, body });
    outcome
}

fn text(history: &History) -> Vec<u8> {
    let pairs: Vec<_> = history.iter().map(|(id, handler)| [id.0, handler.0.into()]).collect();
    serde_json::to_vec(&pairs).unwrap()
}

pub(super) fn parse(json: &[u8]) -> History {
    let pairs: Vec<[u32; 2]> = serde_json::from_slice(json).unwrap();
    pairs.into_iter().map(|[id, handler]| (Id(id), HandlerIx(handler as u16))).collect()
}

impl Calls for Handlers {
    fn begin(&mut self, first_polls: &[Begun]) {
        self.begun.extend_from_slice(first_polls);
        self.announced.extend_from_slice(first_polls);
    }

    fn call(&mut self, run: RunId, handler: HandlerIx, delivery: Delivery) -> Called {
        let begun = Begun { position: delivery.position, handler };
        assert!(self.announced.contains(&begun), "{begun:?} was not named before it was called");
        if self.unready.contains(&handler) {
            return Called::NotReady(delivery);
        }
        let id = id_of(&delivery);
        self.called.push((id, handler, delivery.attempt, delivery.late));
        let pends = self.script(id, handler).pends;
        if pends > 0 {
            let before = self.pending.insert(run, (handler, delivery, pends));
            assert!(before.is_none(), "a run id that is in use");
            return Called::Pending;
        }
        self.end(handler, delivery)
    }

    fn poll(&mut self, run: RunId) -> Called {
        let (handler, delivery, pends) = self.pending.remove(&run).expect("a run that is pending");
        if pends > 1 {
            self.pending.insert(run, (handler, delivery, pends - 1));
            return Called::Pending;
        }
        self.end(handler, delivery)
    }

    fn cancel(&mut self, run: RunId) {
        self.pending.remove(&run).expect("a run that is pending");
    }
}
