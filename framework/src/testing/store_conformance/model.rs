//! Random batches and reopenings, against a model that is simple enough to be believed.

use std::collections::{BTreeMap, BTreeSet};

use super::reading::pages;
use super::*;
use crate::store::{Keep, OutboxRow, Totals};

mod check;
mod kept;
mod random;
mod run;
mod waiting;

use kept::Keeping;
pub(crate) use random::Random;
use random::text;
pub(crate) use run::random_batches_and_reopenings_do_as_the_model;
use waiting::{ModelCause, Waiting};

/// Batches of one run.
const BATCHES: u64 = 150;

/// What the model knows of an outgoing stream.
#[derive(Clone, Debug, Default)]
struct Out {
    rows: Vec<Arc<OutboxRow>>,
    confirmed: u64,
    last: BTreeMap<String, u64>,
}

/// A store as it should be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    states: BTreeMap<String, (u64, String)>,
    settled: BTreeMap<Position, ()>,
    pending: BTreeMap<Position, Vec<Arc<str>>>,
    done: BTreeMap<u32, BTreeSet<u64>>,
    intake: BTreeMap<String, BTreeSet<u64>>,
    out: BTreeMap<(String, u8), Out>,
    keeping: Keeping,
    waiting: Waiting,
    refused: BTreeSet<u64>,
    runs: u64,
    entries: u64,
    time_ms: u64,
}

const BOTH: [&str; 2] = ["audit", "deposit"];

impl Model {
    /// A batch that may well be refused in parts.
    pub(crate) fn batch(&mut self, random: &mut Random) -> Batch {
        let count = if random.chance(12) { 120 } else { random.below(25) };
        let entries = (0..count).map(|_| self.entry(random)).collect();
        self.time_ms += random.below(200_000);
        let mut confirmed = Vec::new();
        for out in self.out.values() {
            if random.chance(3)
                && let Some(row) = out.rows.last()
            {
                let through = out.confirmed + random.below(row.sequence - out.confirmed + 1);
                confirmed.push((Arc::clone(&row.stream), through));
            }
        }
        Batch {
            time_ms: self.time_ms,
            steady_ms: self.time_ms,
            entries,
            confirmed,
            ..Batch::default()
        }
    }

    /// One of a window that moves on slowly: most come more than once, some never.
    fn position(&mut self, random: &mut Random) -> Position {
        self.entries += 1;
        let number = self.entries / 5 + random.below(400) + 1;
        match random.below(5) {
            0 => Position::Foreign(partition(random.below(2) as u32), number),
            _ => Position::Stream(stream(random.below(3) as u8), number),
        }
    }

    fn entry(&mut self, random: &mut Random) -> Entry {
        let position = self.position(random);
        let mut entry = match random.below(15) {
            0 => duplicate(position),
            10 => {
                let (partition, first) = (partition(random.below(2) as u32), self.entries / 9);
                entry(About::Passed { partition, first, last: first + random.below(5) })
            }
            1 => entry(About::NotMine { position, floor: random.below(9) }),
            2 => intake(
                ["upload", "feed"][random.below(2) as usize],
                self.entries / 8 + random.below(20),
            ),
            3 => accepted(),
            11 | 12 => self.keeping.entry(position, random),
            13 => self.keeping.invalid_entry(position, random),
            14 => self.waiting.entry(random),
            4 | 5 => handled_of(position, BOTH[random.below(2) as usize], &BOTH),
            _ => handled(position),
        };
        if matches!(entry.subject, About::Handled { .. }) {
            for _ in 0..random.below(3) {
                let key = format!("key-{}", random.below(60));
                // A state is touched once in an entry.
                if entry.states.iter().all(|touch| *touch.key != *key) {
                    entry = self.touch(entry, &key, random);
                }
            }
            if random.chance(2) {
                self.runs += random.below(2);
                entry.run = Some(self.runs);
            }
        }
        for _ in 0..random.below(3) {
            let key = format!("key-{}", random.below(700));
            let key = (!random.chance(6)).then_some(&*key);
            let body = text(random);
            entry = entry.send(["out", "other"][random.below(2) as usize], key, body);
            entry = self.waiting.touch(entry, self.time_ms, random);
        }
        for _ in 0..random.below(2) {
            entry = entry
                .done(&partition(random.below(2) as u32 + 2), self.entries / 4 + random.below(50));
        }
        entry
    }

    fn touch(&self, entry: Entry, key: &str, random: &mut Random) -> Entry {
        let known = self.states.get(key).map_or(0, |state| state.0);
        let read = if random.chance(15) { known + 1 } else { known };
        match random.below(8) {
            0 => entry.touch("account", key, read, StateChange::Same),
            1 => entry.touch("account", key, read, StateChange::Delete),
            _ => entry.put(key, read, text(random)),
        }
    }

    /// Does a batch, and checks that the store did the same.
    pub(crate) fn apply(&mut self, batch: &Batch, durable: &Durable) {
        for (stream, through) in &batch.confirmed {
            let out = self.out.get_mut(&(stream.topic.to_string(), stream.slot.0)).unwrap();
            out.confirmed = out.confirmed.max(*through);
        }
        let mut sent = durable.sent.iter();
        assert_eq!(durable.verdicts.len(), batch.entries.len());
        for (entry, verdict) in batch.entries.iter().zip(&durable.verdicts) {
            let expected = self.verdict(entry);
            assert_eq!(*verdict, expected, "{entry:?}");
            match (expected, entry.run) {
                (Verdict::Applied, _) => self.take(entry, batch.time_ms, &mut sent),
                (Verdict::Conflict | Verdict::NotPending, Some(run)) => {
                    self.refused.insert(run);
                }
                _ => {}
            }
        }
        assert!(sent.next().is_none(), "more was sent than the entries say");
        assert_eq!(durable.due_ms, self.waiting.first_ms.take());
        assert_eq!(durable.totals, self.totals());
    }

    fn verdict(&self, entry: &Entry) -> Verdict {
        if entry.run.is_some_and(|run| self.refused.contains(&run)) {
            return Verdict::Conflict;
        }
        let holds = match &entry.subject {
            About::Handled { position, handler, kept: None, .. } => self.is_left(position, handler),
            About::Handled { position, handler, kept: Some(number), .. } => {
                self.keeping.is(*number, position, handler)
            }
            About::Kept(keep) if keep.message.is_some() => {
                self.keeping.is_free(keep.number) && self.is_left(&keep.position, &keep.handler)
            }
            About::Kept(keep) => self.keeping.is(keep.number, &keep.position, &keep.handler),
            About::Discarded { number } => self.keeping.has(*number),
            About::Taken { number, .. } | About::UnhandledDiscarded { number } => {
                self.keeping.has_unhandled(*number)
            }
            About::Released { timer } => self.waiting.has(*timer),
            About::InvalidDiscarded { number } => self.keeping.has_invalid(*number),
            // Their own claims say what becomes of them.
            About::StateSet(_) | About::TimerCancelled { .. } => false,
            About::InvalidTaken { number, position, keeps, .. } => {
                self.keeping.has_invalid(*number) && self.may_keep(position, keeps)
            }
            About::NotMine { position, .. } | About::InvalidOf { position, .. } => {
                !self.is_settled(position) && !self.pending.contains_key(position)
            }
            About::Duplicate { position } => self.is_settled(position),
            About::Intake { from: Some((source, number)) } => match self.intake.get(&**source) {
                Some(sent) if sent.contains(number) => return Verdict::Already,
                Some(sent) if Some(number) < sent.last() => return Verdict::Skipped,
                _ => true,
            },
            About::Intake { from: None }
            | About::Passed { .. }
            | About::HolesPassed { .. }
            | About::Invalid(_)
            | About::Scheduled(_)
            | About::ScheduleGone { .. } => true,
            About::Once(_) | About::SourceRetired { .. } => unreachable!("none is made"),
        };
        if !holds {
            return Verdict::NotPending;
        }
        let is_current = |touch: &StateTouch| {
            self.states.get(&*touch.key).map_or(0, |state| state.0) == touch.read
        };
        if entry.states.iter().all(is_current) { Verdict::Applied } else { Verdict::Conflict }
    }

    /// Whether a handler is left to do, one of those that a position has.
    fn is_left(&self, position: &Position, handler: &Arc<str>) -> bool {
        let left = self.pending.get(position);
        !self.is_settled(position) && left.is_none_or(|left| left.contains(handler))
    }

    /// Whether the message in a record that was none can be kept.
    fn may_keep(&self, position: &Position, keeps: &[Keep]) -> bool {
        let (is_settled, left) = (self.is_settled(position), self.pending.get(position));
        let may = |keep: &Keep| {
            let is_left = left.is_none_or(|left| left.contains(&keep.handler));
            self.keeping.is_free(keep.number) && is_left
        };
        (matches!(position, Position::Foreign(..)) || !is_settled)
            && keeps.iter().all(may)
            && (!keeps.is_empty() || left.is_none())
    }

    fn is_settled(&self, position: &Position) -> bool {
        match position {
            Position::Foreign(partition, offset) => {
                self.done.get(&partition.partition).is_some_and(|done| done.contains(offset))
            }
            Position::Stream(..) => self.settled.contains_key(position),
        }
    }

    fn settle(&mut self, position: &Position) {
        match position {
            Position::Foreign(partition, offset) => {
                self.done.entry(partition.partition).or_default().insert(*offset);
            }
            Position::Stream(..) => {
                self.settled.insert(position.clone(), ());
            }
        }
    }

    /// One handler of a position is done with it, or has it kept.
    fn handled(&mut self, position: &Position, handler: &Arc<str>, handlers: &[Arc<str>]) {
        let mut left = self.pending.remove(position).unwrap_or_else(|| handlers.to_vec());
        left.retain(|name| name != handler);
        if left.is_empty() {
            self.settle(position);
        } else {
            self.pending.insert(position.clone(), left);
        }
    }

    fn take_subject<'a>(
        &mut self,
        subject: &About,
        time_ms: u64,
        sent: &mut impl Iterator<Item = &'a Arc<OutboxRow>>,
    ) {
        match subject {
            About::Handled { kept: Some(number), .. }
            | About::Discarded { number }
            | About::UnhandledDiscarded { number } => {
                self.keeping.remove(*number);
            }
            About::Handled { position, handler, handlers, .. } => {
                self.handled(position, handler, handlers);
            }
            About::Kept(keep) => {
                if keep.message.is_some() {
                    self.handled(&keep.position, &keep.handler, &keep.handlers);
                }
                self.keeping.set(keep, time_ms);
            }
            About::Taken { number, key, handlers, .. } => {
                self.keeping.taken(*number, key.clone(), handlers);
            }
            About::Released { timer } => {
                let (message, cause) = self.waiting.remove(*timer);
                self.send(&message, &cause, sent.next().expect("what is released is sent"));
            }
            About::Invalid(message) => self.keeping.add_invalid(message),
            About::InvalidDiscarded { number } => self.keeping.remove_invalid(*number),
            About::InvalidTaken { number, position, keeps, .. } => {
                self.keeping.remove_invalid(*number);
                for keep in keeps {
                    self.handled(position, &keep.handler, &keep.handlers);
                    self.keeping.set(keep, time_ms);
                }
                if keeps.is_empty() {
                    self.settle(position);
                }
            }
            About::InvalidOf { message, position, .. } => {
                self.settle(position);
                self.keeping.add_invalid(message);
            }
            About::NotMine { position, .. } => self.settle(position),
            About::Intake { from: Some((source, number)) } => {
                self.intake.entry(source.to_string()).or_default().insert(*number);
            }
            About::Passed { partition, first, last } => {
                self.done.entry(partition.partition).or_default().extend(*first..=*last);
            }
            _ => {}
        }
    }

    fn take<'a>(
        &mut self,
        entry: &Entry,
        time_ms: u64,
        sent: &mut impl Iterator<Item = &'a Arc<OutboxRow>>,
    ) {
        self.take_subject(&entry.subject, time_ms, sent);
        entry.cancels.iter().for_each(|cancel| self.waiting.cancel(cancel));
        for touch in &entry.states {
            match &touch.change {
                StateChange::Same => {}
                StateChange::Delete => drop(self.states.remove(&*touch.key)),
                StateChange::Put(value) => {
                    let json = String::from_utf8(value.json.to_vec()).unwrap();
                    self.states.insert(touch.key.to_string(), (touch.read + 1, json));
                }
            }
        }
        for record in &entry.done {
            self.done.entry(record.partition.partition).or_default().insert(record.offset);
        }
        for (index, message) in (0..).zip(&entry.sends) {
            let cause = match &entry.subject {
                About::Handled { position, handler, .. } => {
                    Some((position.clone(), Arc::clone(handler), index))
                }
                _ => None,
            };
            if !self.waiting.set(message, &cause, time_ms) {
                self.send(message, &cause, sent.next().expect("each message of an entry is sent"));
            }
        }
    }

    /// A message has the next sequence of its stream, and names the one before of its key.
    fn send(&mut self, message: &Message, cause: &ModelCause, row: &Arc<OutboxRow>) {
        let slot = row.stream.slot;
        assert_eq!((&*row.stream.topic, &row.body), (&*message.topic, &message.body));
        assert_eq!((&*row.stream.service, row.stream.epoch), ("shop", 0));
        assert_eq!(row.key, message.key);
        let out = self.out.entry((message.topic.to_string(), slot.0)).or_default();
        assert_eq!(row.sequence, out.rows.len() as u64 + 1, "dense, in commit order");
        if let Some(key) = &message.key {
            assert_eq!(slot, Slot::of(key));
            let last = out.last.insert(key.to_string(), row.sequence);
            match (row.context.prev, last) {
                (Some(prev), last) => assert_eq!(Some(prev), last),
                (None, Some(last)) => {
                    assert!(last <= row.context.horizon && last <= out.confirmed, "{row:?}");
                }
                (None, None) => {}
            }
            assert!(row.context.horizon <= out.confirmed);
        }
        assert!(row.context.floor <= out.confirmed + 1);
        let named = row.cause.as_ref();
        let named = named.map(|c| (c.position.clone(), Arc::clone(&c.handler), c.index));
        assert_eq!(named, *cause);
        out.rows.push(Arc::clone(row));
    }

    /// A restart: runs are numbered by the process.
    pub(crate) fn restart(&mut self) {
        self.refused.clear();
        self.runs += 1;
        self.keeping.restart();
    }
}
