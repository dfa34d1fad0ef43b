//! Kept deliveries in the model, and records that are no message.

use super::*;
use crate::envelope::Envelope;
use crate::store::{
    Failure, InvalidMessage, Keep, Kept, Totals, UNHANDLED_NUMBERS, Unhandled, Wait,
};
use crate::testing::store_conformance::invalid::{
    invalid, invalid_discarded, invalid_of, invalid_taken, record,
};
use crate::testing::store_conformance::keeping::{
    discarded, envelope, failure, handled_kept, kept, same, unhandled, unhandled_discarded,
};

/// A kept delivery with its whole history.
#[derive(Clone, Debug)]
pub(super) struct ModelKept {
    kept: Kept,
    envelope: Arc<Envelope>,
    handlers: Arc<[Arc<str>]>,
    failures: Vec<Failure>,
}

/// What is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Keeping {
    rows: BTreeMap<u64, ModelKept>,
    /// The highest number that took effect, and that was given by whoever commits.
    last: u64,
    given: u64,
    /// The first that was not given before the last restart.
    first_new: u64,
    invalid: BTreeMap<u64, InvalidMessage>,
    last_invalid: u64,
}

impl Keeping {
    /// A restart: numbers go on behind those that took effect.
    pub(super) fn restart(&mut self) {
        self.given = self.last | 1;
        self.first_new = self.last + 1;
    }

    /// An entry about what is kept, or is to be.
    pub(super) fn entry(&mut self, position: Position, random: &mut Random) -> Entry {
        let nth = random.below(self.rows.len().max(1) as u64) as usize;
        let known = self.rows.values().nth(nth).filter(|_| !random.chance(8)).cloned();
        match (random.below(7), known) {
            (0..3, _) | (_, None) => self.new_entry(position, random),
            (3, Some(known)) if random.chance(2) => unhandled_discarded(known.kept.number),
            (3, Some(known)) => discarded(known.kept.number),
            (5, Some(known)) if known.kept.wait == Wait::Unhandled || random.chance(9) => {
                let handlers: Arc<[Arc<str>]> = texts(&BOTH[random.below(2) as usize..]).into();
                let (number, key) = (known.kept.number, Some("taken".into()));
                let message = (handlers.len() > 1).then_some(known.envelope);
                entry(About::Taken { number, key, handlers, message })
            }
            (4, Some(known)) => {
                let Kept { number, position, handler, .. } = known.kept;
                handled_kept(number, position, &handler)
            }
            (_, Some(known)) => {
                let Kept { number, position, handler, .. } = known.kept;
                let handlers = known.handlers;
                let keep = self.keep(number, position, handler, handlers, random);
                kept(Keep { message: None, ..keep })
            }
        }
    }

    fn new_entry(&mut self, position: Position, random: &mut Random) -> Entry {
        self.given = self.given.max(1) + 1;
        // Each number once, though not in order: 3, 2, 5, 4. One of before the restart is refused.
        let number = match self.first_new {
            2.. if random.chance(10) => 1 + random.below(self.first_new - 1),
            _ => self.given ^ 1,
        };
        let handlers = if random.chance(2) { &BOTH[..] } else { &BOTH[1..] };
        let handler = handlers[random.below(handlers.len() as u64) as usize];
        let keep = self.keep(number, position, handler.into(), texts(handlers).into(), random);
        if random.chance(5) {
            // Those behind it leave its further numbers alone.
            self.given += 2 * UNHANDLED_NUMBERS;
            return kept(unhandled(keep));
        }
        kept(keep)
    }

    fn keep(
        &self,
        number: u64,
        position: Position,
        handler: Arc<str>,
        handlers: Arc<[Arc<str>]>,
        random: &mut Random,
    ) -> Keep {
        let key = format!("key-{}", random.below(60));
        let key = (!random.chance(6)).then_some(&*key);
        let message = Some(Arc::new(envelope(&position, key, text(random))));
        let wait = match random.below(4) {
            0 => Wait::Held,
            1 => Wait::Until(random.below(1_000_000)),
            n => Wait::Dead { since_ms: random.below(99), skip_ms: (n == 2).then_some(7) },
        };
        let attempts = random.below(30) as u32;
        let failure = (!random.chance(4)).then(|| failure(attempts, &text(random)[..1]));
        let late = random.chance(5);
        let floor = random.below(9);
        Keep { number, position, floor, handler, handlers, message, wait, attempts, late, failure }
    }

    /// An entry about a record that is no message.
    pub(super) fn invalid_entry(&mut self, position: Position, random: &mut Random) -> Entry {
        match random.below(6) {
            5 => invalid_of(record(random.below(99), text(random)), position),
            0 => invalid_discarded(random.below(self.last_invalid + 2)),
            1 => {
                let number = random.below(self.last_invalid + 2);
                let handlers = &BOTH[random.below(3) as usize..];
                // Behind all that were given, the odd one of a pair among them.
                let first = (self.given | 1) + 1;
                self.given += 4;
                let keeps = (first..).zip(handlers).map(|(own, handler)| {
                    let all = texts(handlers).into();
                    self.keep(own, position.clone(), (*handler).into(), all, random)
                });
                let keeps = keeps.collect();
                invalid_taken(number, position, keeps)
            }
            _ => invalid(record(random.below(99), text(random))),
        }
    }

    /// Whether this is the delivery that is kept under that number.
    pub(super) fn is(&self, number: u64, position: &Position, handler: &str) -> bool {
        self.rows.get(&number).is_some_and(|known| {
            known.kept.position == *position && *known.kept.handler == *handler
        })
    }

    /// Whether what is kept from here on may have the number.
    pub(super) fn is_free(&self, number: u64) -> bool {
        number >= self.first_new && !self.rows.contains_key(&number)
    }

    pub(super) fn has(&self, number: u64) -> bool {
        self.rows.get(&number).is_some_and(|known| known.kept.wait != Wait::Unhandled)
    }

    pub(super) fn has_unhandled(&self, number: u64) -> bool {
        self.rows.get(&number).is_some_and(|known| known.kept.wait == Wait::Unhandled)
    }

    /// A message that no handler took is kept for these.
    pub(super) fn taken(&mut self, number: u64, key: Option<Key>, handlers: &Arc<[Arc<str>]>) {
        let known = self.rows.remove(&number).unwrap();
        for (own, handler) in (number..).zip(handlers.iter()) {
            let kept = Kept {
                number: own,
                handler: Arc::clone(handler),
                key: key.clone(),
                wait: Wait::Held,
                ..known.kept.clone()
            };
            let envelope = Arc::new(Envelope { key: key.clone(), ..(*known.envelope).clone() });
            let handlers =
                if own == number { Arc::from([Arc::clone(handler)]) } else { Arc::clone(handlers) };
            let failures = if own == number { known.failures.clone() } else { Vec::new() };
            self.rows.insert(own, ModelKept { kept, envelope, handlers, failures });
        }
    }

    pub(super) fn has_invalid(&self, number: u64) -> bool {
        self.invalid.contains_key(&number)
    }

    pub(super) fn set(&mut self, keep: &Keep, time_ms: u64) {
        let Keep { number, wait, attempts, late, .. } = *keep;
        if let Some(envelope) = &keep.message {
            let more = if wait == Wait::Unhandled { UNHANDLED_NUMBERS - 1 } else { 0 };
            self.last = self.last.max(number + more);
            let kept = Kept {
                number,
                position: keep.position.clone(),
                handler: Arc::clone(&keep.handler),
                key: envelope.key.clone(),
                since_ms: time_ms,
                wait,
                attempts,
                late,
                bytes: (envelope.headers.as_bytes().len() + envelope.body.len()) as u32,
            };
            let (envelope, handlers) = (Arc::clone(envelope), Arc::clone(&keep.handlers));
            self.rows.insert(number, ModelKept { kept, envelope, handlers, failures: Vec::new() });
        }
        let known = self.rows.get_mut(&number).unwrap();
        known.kept = Kept { wait, attempts, late, ..known.kept.clone() };
        known.failures.extend(keep.failure.clone());
    }

    pub(super) fn remove(&mut self, number: u64) {
        self.rows.remove(&number);
    }

    pub(super) fn add_invalid(&mut self, message: &InvalidMessage) {
        self.last_invalid += 1;
        self.invalid.insert(self.last_invalid, message.clone());
    }

    pub(super) fn remove_invalid(&mut self, number: u64) {
        self.invalid.remove(&number);
    }

    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals { invalid: self.invalid.len() as u64, ..Totals::default() };
        for ModelKept { kept, .. } in self.rows.values() {
            match kept.wait {
                Wait::Held => totals.held += 1,
                Wait::Until(_) => totals.waiting += 1,
                Wait::Dead { .. } => totals.dead += 1,
                Wait::Unhandled => {
                    totals.unhandled += 1;
                    totals.unhandled_bytes += u64::from(kept.bytes);
                    continue;
                }
            }
            totals.kept_bytes += u64::from(kept.bytes);
        }
        totals
    }

    /// Checks what readers see.
    pub(super) async fn check(&self, reader: &dyn Reader) {
        assert_eq!(reader.kept(None, 9_999).await.unwrap(), self.deliveries());
        let unhandled = self.rows.values().filter(|known| known.kept.wait == Wait::Unhandled);
        let unhandled = unhandled.map(|ModelKept { kept, .. }| Unhandled {
            number: kept.number,
            position: kept.position.clone(),
            type_name: Arc::clone(&kept.handler),
            key: kept.key.clone(),
            since_ms: kept.since_ms,
            bytes: kept.bytes,
        });
        assert_eq!(reader.unhandled(None, 9_999).await.unwrap(), unhandled.collect::<Vec<_>>());
        let numbers = self.rows.keys().copied().chain([self.last + 1]).collect();
        let mut read = reader.kept_messages(numbers).await.unwrap();
        assert!(read.pop().unwrap().is_none());
        for (read, known) in read.into_iter().zip(self.rows.values()) {
            let read = read.unwrap();
            assert_eq!((&read.kept, &read.handlers), (&known.kept, &known.handlers));
            same(&read.envelope, &known.envelope);
            let count = known.failures.len();
            let left = known.failures.iter().enumerate();
            let left = left.filter(|(n, _)| *n < 4 || n + 12 >= count);
            assert_eq!(read.failures, left.map(|(_, f)| f.clone()).collect::<Vec<_>>());
        }
        let invalid: Vec<_> = self.invalid.clone().into_iter().collect();
        assert_eq!(reader.invalid(None, 9_999).await.unwrap(), invalid);
    }

    fn deliveries(&self) -> Vec<Kept> {
        let all = self.rows.values().map(|known| known.kept.clone());
        all.filter(|kept| kept.wait != Wait::Unhandled).collect()
    }

    /// Checks what an opening says.
    pub(super) fn check_recovered(&self, recovered: &Recovered) {
        assert_eq!(recovered.kept, self.deliveries());
        assert_eq!(recovered.kept_next, self.last + 1);
    }
}
