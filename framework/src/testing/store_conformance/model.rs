//! Random batches and reopenings, against a model that is simple enough to be believed.

use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::reading::pages;
use super::*;
use crate::store::OutboxRow;

/// Batches of one run.
const BATCHES: u64 = 150;

/// Numbers that follow from a seed.
pub(crate) struct Random {
    pub(crate) seed: u64,
    drawn: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random { seed, drawn: 0 }
    }

    /// The seed that the environment names, or one of the operating system's.
    pub(crate) fn from_environment() -> Self {
        let named = std::env::var("ENDWISE_SEED").ok().map(|seed| seed.parse().unwrap());
        let random = Random::new(named.unwrap_or_else(crate::random::seed));
        // Shown if the test fails.
        println!("replay with ENDWISE_SEED={} and this test's name", random.seed);
        random
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.drawn += 1;
        xxh3_64_with_seed(&self.drawn.to_le_bytes(), self.seed) % end
    }

    pub(crate) fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}

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
    intake: BTreeMap<String, u64>,
    out: BTreeMap<(String, u8), Out>,
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
        Batch { time_ms: self.time_ms, entries, confirmed, ..Batch::default() }
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
        let mut entry = match random.below(11) {
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
                (Verdict::Applied, _) => self.take(entry, &mut sent),
                (Verdict::Conflict | Verdict::NotPending, Some(run)) => {
                    self.refused.insert(run);
                }
                _ => {}
            }
        }
        assert!(sent.next().is_none(), "more was sent than the entries say");
    }

    fn verdict(&self, entry: &Entry) -> Verdict {
        if entry.run.is_some_and(|run| self.refused.contains(&run)) {
            return Verdict::Conflict;
        }
        let holds = match &entry.subject {
            About::Handled { position, handler, .. } => {
                let left = self.pending.get(position);
                !self.is_settled(position) && left.is_none_or(|left| left.contains(handler))
            }
            About::NotMine { position, .. } => {
                !self.is_settled(position) && !self.pending.contains_key(position)
            }
            About::Duplicate { position } => self.is_settled(position),
            About::Intake { from: Some((source, number)) } => {
                if *number < self.intake.get(&**source).copied().unwrap_or(0) {
                    return Verdict::Already;
                }
                true
            }
            About::Intake { from: None } | About::Passed { .. } => true,
            _ => false,
        };
        if !holds {
            return Verdict::NotPending;
        }
        let is_current = |touch: &StateTouch| {
            self.states.get(&*touch.key).map_or(0, |state| state.0) == touch.read
        };
        if entry.states.iter().all(is_current) { Verdict::Applied } else { Verdict::Conflict }
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

    fn take<'a>(&mut self, entry: &Entry, sent: &mut impl Iterator<Item = &'a Arc<OutboxRow>>) {
        match &entry.subject {
            About::Handled { position, handler, handlers, .. } => {
                let mut left = self.pending.remove(position).unwrap_or_else(|| handlers.to_vec());
                left.retain(|name| name != handler);
                if left.is_empty() {
                    self.settle(position);
                } else {
                    self.pending.insert(position.clone(), left);
                }
            }
            About::NotMine { position, .. } => self.settle(position),
            About::Intake { from: Some((source, number)) } => {
                self.intake.insert(source.to_string(), number + 1);
            }
            About::Passed { partition, first, last } => {
                self.done.entry(partition.partition).or_default().extend(*first..=*last);
            }
            _ => {}
        }
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
        for message in &entry.sends {
            self.send(message, entry, sent.next().expect("each message of an entry is sent"));
        }
    }

    /// A message has the next sequence of its stream, and names the one before of its key.
    fn send(&mut self, message: &Message, entry: &Entry, row: &Arc<OutboxRow>) {
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
        let cause = match &entry.subject {
            About::Handled { position, handler, .. } => Some((position.clone(), handler.clone())),
            _ => None,
        };
        assert_eq!(row.cause.as_ref().map(|c| (c.position.clone(), c.handler.clone())), cause);
        out.rows.push(Arc::clone(row));
    }

    /// A restart: runs are numbered by the process.
    pub(crate) fn restart(&mut self) {
        self.refused.clear();
        self.runs += 1;
    }

    /// How many messages were sent, positions settled and states kept.
    pub(crate) fn sizes(&self) -> (usize, usize, usize) {
        let sent = self.out.values().map(|out| out.rows.len()).sum();
        (sent, self.settled.len(), self.states.len())
    }

    /// How many messages are not confirmed.
    pub(crate) fn open_rows(&self) -> usize {
        self.out.values().map(|out| out.rows.len() - out.confirmed as usize).sum()
    }

    /// Checks what readers see.
    pub(crate) async fn check_reader(&self, reader: &dyn Reader, page: usize) {
        let states: Vec<_> =
            self.states.iter().map(|(key, (_, json))| (key.clone(), json.clone())).collect();
        assert_eq!(pages(reader, page).await, states);
        let keys: Vec<String> = (0..60).map(|n| format!("key-{n}")).collect();
        let asked = keys.iter().map(|key| (Arc::from("account"), Key::from(&**key))).collect();
        for (key, read) in keys.iter().zip(reader.states(asked).await.unwrap()) {
            let version = self.states.get(key).map_or(0, |state| state.0);
            assert_eq!((key, read.version), (key, version));
            let json = read.value.map(|value| String::from_utf8(value.json.to_vec()).unwrap());
            assert_eq!(json, self.states.get(key).map(|state| state.1.clone()), "{key}");
        }
        for source in ["upload", "feed"] {
            let next = self.intake.get(source).copied().unwrap_or(0);
            assert_eq!(reader.sent_from(source).await.unwrap(), next, "{source}");
        }
        let mut sent = BTreeMap::<Arc<str>, u64>::new();
        for ((topic, _), out) in &self.out {
            *sent.entry((**topic).into()).or_default() += out.rows.len() as u64;
        }
        let counted: BTreeMap<_, _> = reader.sent().await.unwrap().into_iter().collect();
        assert_eq!(counted, sent);
    }

    /// Checks all that an opening says.
    pub(crate) async fn check(&self, open: &Opened) {
        self.check_reader(&*open.reader, 17).await;
        let recovered = &open.recovered;
        let pending: BTreeMap<_, _> = recovered.pending.iter().cloned().collect();
        assert_eq!(pending, self.pending);
        let mut settled = BTreeMap::new();
        for (stream, ranges) in &recovered.inbox {
            let all = ranges.runs().iter().flat_map(|(first, last)| *first..=*last);
            settled.extend(all.map(|n| (Position::Stream(Arc::clone(stream), n), ())));
        }
        assert_eq!(settled, self.settled);
        let mut done = BTreeMap::<u32, BTreeSet<u64>>::new();
        for (partition, ranges) in &recovered.cursors {
            let all = ranges.runs().iter().flat_map(|(first, last)| *first..=*last);
            done.entry(partition.partition).or_default().extend(all);
        }
        assert_eq!(done, self.done);
        let mut rows = BTreeMap::<(String, u8), Vec<Arc<OutboxRow>>>::new();
        for row in &recovered.outbox {
            let stream = (row.stream.topic.to_string(), row.stream.slot.0);
            rows.entry(stream).or_default().push(Arc::clone(row));
        }
        let open_rows = |out: &Out| out.rows[out.confirmed as usize..].to_vec();
        let expected = self.out.iter().map(|(stream, out)| (stream.clone(), open_rows(out)));
        assert_eq!(rows, expected.filter(|(_, rows)| !rows.is_empty()).collect());
    }
}

/// A text of any size, mostly small.
fn text(random: &mut Random) -> String {
    let length = match random.below(40) {
        0 => random.below(30_000),
        1..5 => 0,
        _ => random.below(700),
    };
    format!("{}-{}", random.drawn, "x".repeat(length as usize))
}

pub(crate) async fn random_batches_and_reopenings_do_as_the_model(subject: Subject) {
    let mut random = Random::from_environment();
    let (mut model, mut open) = (Model::default(), subject.open().await);
    for n in 0..BATCHES {
        let batch = Batch { id: open.next_id, ..model.batch(&mut random) };
        open.next_id += 1;
        let durable = open.store.commit(&batch).await.unwrap();
        model.apply(&batch, &durable);
        if random.chance(8) {
            model.check_reader(&*open.reader, 13).await;
        }
        if random.chance(6) || n + 1 == BATCHES {
            let leave = if random.chance(3) { Leave::Closed } else { Leave::Dropped };
            open = subject.reopen(open, leave).await;
            model.restart();
            model.check(&open).await;
        }
    }
    let (sent, settled, states) = model.sizes();
    assert!(sent > 1_000 && settled > 200 && states > 10, "{:?}", model.sizes());
}
