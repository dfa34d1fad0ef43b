//! Messages that wait for their time, in the model.

use std::time::Duration;

use super::*;
use crate::outcome::Cancel;
use crate::store::{Timer, TimerId};
use crate::testing::store_conformance::timers::released;

/// Which handling sent a message: position, handler, and which of its messages it is.
pub(super) type ModelCause = Option<(Position, Arc<str>, u32)>;

/// What waits.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    timers: BTreeMap<TimerId, (Message, ModelCause)>,
    last: u64,
    /// When the first is due that was set since this was taken.
    pub(super) first_ms: Option<u64>,
}

impl Waiting {
    /// Lets the last message of an entry wait, and cancels some, some of the time.
    pub(super) fn touch(&self, mut entry: Entry, now_ms: u64, random: &mut Random) -> Entry {
        if let Some(message) = entry.sends.last_mut()
            && random.chance(3)
        {
            message.release = match random.below(3) {
                0 => Release::At((now_ms + random.below(400_000)).saturating_sub(100_000)),
                _ => Release::After(Duration::from_micros(random.below(400_000_000))),
            };
            message.key = (!random.chance(6)).then(|| name(random));
            message.name = random.chance(2).then(|| name(random));
        }
        if random.chance(6) {
            let topic = ["out", "other"][random.below(2) as usize];
            let key = (!random.chance(6)).then(|| name(random));
            entry = entry.cancel(topic, key.as_deref(), &name(random));
        }
        entry
    }

    /// An entry that releases one of the first timers.
    pub(super) fn entry(&self, random: &mut Random) -> Entry {
        let nth = random.below(6) as usize;
        let none = TimerId { due_ms: random.below(9), number: random.below(self.last + 2) };
        released(self.timers.keys().nth(nth).copied().unwrap_or(none))
    }

    pub(super) fn has(&self, timer: TimerId) -> bool {
        self.timers.contains_key(&timer)
    }

    pub(super) fn len(&self) -> usize {
        self.timers.len()
    }

    pub(super) fn remove(&mut self, timer: TimerId) -> (Message, ModelCause) {
        self.timers.remove(&timer).unwrap()
    }

    pub(super) fn cancel(&mut self, cancel: &Cancel) {
        self.timers.retain(|_, (waits, _)| {
            let is_same = (&waits.topic, &waits.type_name) == (&cancel.topic, &cancel.type_name);
            !(is_same && waits.key == cancel.key && waits.name.as_ref() == Some(&cancel.name))
        });
    }

    /// Whether a message waits for its time from now on.
    pub(super) fn set(&mut self, message: &Message, cause: &ModelCause, now_ms: u64) -> bool {
        let due_ms = match message.release {
            Release::Now => return false,
            Release::At(ms) => ms,
            Release::After(delay) => now_ms + delay.as_micros().div_ceil(1_000) as u64,
        };
        if let Some(name) = message.name.clone() {
            let Message { topic, type_name, key, .. } = message.clone();
            self.cancel(&Cancel { topic, type_name, key, name });
        }
        if due_ms <= now_ms {
            return false;
        }
        self.last += 1;
        let id = TimerId { due_ms, number: self.last };
        self.timers.insert(id, (message.clone(), cause.clone()));
        self.first_ms = Some(self.first_ms.map_or(due_ms, |first| first.min(due_ms)));
        true
    }

    /// Checks what readers see, by pages of `most`.
    pub(super) async fn check(&self, reader: &dyn Reader, most: usize) {
        let expected = self.timers.iter().map(|(id, (message, cause))| Timer {
            id: *id,
            topic: (*message.topic).into(),
            type_name: (*message.type_name).into(),
            key: message.key.clone(),
            name: message.name.clone(),
            handler: cause.as_ref().map(|cause| Arc::clone(&cause.1)),
            bytes: message.headers.as_bytes().len() + message.body.len(),
        });
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = reader.timers(after, most).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            all.extend(page);
        }
        assert_eq!(all, expected.collect::<Vec<_>>());
    }
}

/// One of few names, for a message or its key.
fn name(random: &mut Random) -> Arc<str> {
    format!("name-{}", random.below(6)).into()
}
