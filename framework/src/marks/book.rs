//! What is running, suspected and charged, as the records of the file say it one by one.

use std::collections::{BTreeMap, BTreeSet};

use super::mark::Mark;
use super::record::{Kind, Next, next, put};

/// Emptied lists that are kept for the next batches.
const SPARE_MAX: usize = 64;

/// The state that the records make, in the file as in memory.
#[derive(Debug, Default)]
pub(super) struct Book {
    running: BTreeMap<u64, Batch>,
    suspected: BTreeSet<Mark>,
    charges: BTreeMap<Mark, u32>,
    spare: Vec<Vec<Mark>>,
}

#[derive(Debug)]
struct Batch {
    is_alone: bool,
    marks: Vec<Mark>,
}

impl Book {
    /// What those records say, up to one that was not written to its end; `None` if there is
    /// something that was never written so.
    pub(super) fn read(mut records: &[u8]) -> Option<Book> {
        let mut book = Book::default();
        loop {
            match next(records) {
                Next::Record { kind, number, marks, rest } => {
                    book.apply(kind, number, marks);
                    records = rest;
                }
                Next::End => return Some(book),
                Next::Damaged => return None,
            }
        }
    }

    /// Takes a record.
    pub(super) fn apply(&mut self, kind: Kind, number: u64, marks: Vec<Mark>) {
        match kind {
            Kind::Begun => drop(self.running.insert(number, Batch { is_alone: false, marks })),
            Kind::BegunAlone => drop(self.running.insert(number, Batch { is_alone: true, marks })),
            Kind::Ended => self.end(number),
            Kind::Charged => {
                let charges = u32::try_from(number).unwrap_or(u32::MAX);
                self.charges.extend(marks.into_iter().map(|mark| (mark, charges)));
            }
            Kind::Suspected => self.suspected.extend(marks),
            Kind::Forgotten => {
                for mark in marks {
                    self.suspected.remove(&mark);
                    self.charges.remove(&mark);
                }
            }
            Kind::Acquitted => self.suspected.clear(),
        }
    }

    fn end(&mut self, number: u64) {
        let Some(mut batch) = self.running.remove(&number) else { return };
        if batch.is_alone {
            // It ran alone and the process lives.
            for mark in &batch.marks {
                self.suspected.remove(mark);
            }
        }
        if self.spare.len() < SPARE_MAX {
            batch.marks.clear();
            self.spare.push(batch.marks);
        }
    }

    /// An empty list.
    pub(super) fn list(&mut self) -> Vec<Mark> {
        self.spare.pop().unwrap_or_default()
    }

    /// Whether this batch runs alone.
    pub(super) fn is_alone(&self, batch: u64) -> bool {
        self.running.get(&batch).is_some_and(|batch| batch.is_alone)
    }

    /// Whether it is suspected or charged.
    pub(super) fn names(&self, mark: &Mark) -> bool {
        self.suspected.contains(mark) || self.charges.contains_key(mark)
    }

    /// Whether nothing is suspected or charged.
    pub(super) fn is_clean(&self) -> bool {
        self.suspected.is_empty() && self.charges.is_empty()
    }

    pub(super) fn has_suspects(&self) -> bool {
        !self.suspected.is_empty()
    }

    /// The process died: what ran is suspected. What ran alone is charged, if nothing else ran.
    pub(super) fn on_death(&mut self) {
        let running: Vec<Batch> = std::mem::take(&mut self.running).into_values().collect();
        if let [Batch { is_alone: true, marks }] = &running[..]
            && let [mark] = marks[..]
        {
            let charges = self.charges.entry(mark).or_default();
            *charges = charges.saturating_add(1);
        }
        self.suspected.extend(running.into_iter().flat_map(|batch| batch.marks));
    }

    /// The suspects, with the charges of each.
    pub(super) fn suspects(&self) -> BTreeMap<Mark, u32> {
        let charges = |mark| self.charges.get(mark).copied().unwrap_or_default();
        self.suspected.iter().map(|mark| (*mark, charges(mark))).collect()
    }

    /// The records that make this state, as few as there can be.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        for (mark, charges) in &self.charges {
            put(out, Kind::Charged, (*charges).into(), &[*mark]);
        }
        if !self.suspected.is_empty() {
            let suspected: Vec<Mark> = self.suspected.iter().copied().collect();
            put(out, Kind::Suspected, 0, &suspected);
        }
        for (number, Batch { is_alone, marks }) in &self.running {
            put(out, if *is_alone { Kind::BegunAlone } else { Kind::Begun }, *number, marks);
        }
    }
}
