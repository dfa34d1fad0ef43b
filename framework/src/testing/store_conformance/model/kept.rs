//! Kept deliveries in the model, and records that are no message.

use super::*;
use crate::envelope::Envelope;
use crate::store::{Failure, InvalidMessage, Keep, Kept, Totals, Wait};
use crate::testing::store_conformance::invalid::{invalid, invalid_discarded, record};
use crate::testing::store_conformance::keeping::{
    discarded, envelope, failure, handled_kept, kept, same,
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
            (3, Some(known)) => discarded(known.kept.number),
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
    pub(super) fn invalid_entry(&self, random: &mut Random) -> Entry {
        match random.below(3) {
            0 => invalid_discarded(random.below(self.last_invalid + 2)),
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
        self.rows.contains_key(&number)
    }

    pub(super) fn has_invalid(&self, number: u64) -> bool {
        self.invalid.contains_key(&number)
    }

    pub(super) fn set(&mut self, keep: &Keep, time_ms: u64) {
        let Keep { number, wait, attempts, late, .. } = *keep;
        if let Some(envelope) = &keep.message {
            self.last = self.last.max(number);
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
            }
            totals.kept_bytes += u64::from(kept.bytes);
        }
        totals
    }

    /// Checks what readers see.
    pub(super) async fn check(&self, reader: &dyn Reader) {
        let expected: Vec<_> = self.rows.values().map(|known| known.kept.clone()).collect();
        assert_eq!(reader.kept(None, 9_999).await.unwrap(), expected);
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

    /// Checks what an opening says.
    pub(super) fn check_recovered(&self, recovered: &Recovered) {
        let expected: Vec<_> = self.rows.values().map(|known| known.kept.clone()).collect();
        assert_eq!(recovered.kept, expected);
        assert_eq!(recovered.kept_next, self.last + 1);
    }
}
