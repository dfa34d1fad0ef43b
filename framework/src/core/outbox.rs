//! Outgoing streams: sequences, and each key's previous one.

use std::collections::BTreeSet;
use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::calls::Outcome;
use super::mutants::{self, Mutant};
use crate::hash::{FastMap, Hashing};
use crate::ids::{NameNo, Position};
use crate::stream::Slot;
use crate::table::frame::Frame;
use crate::table::sent::{Cause, Sent, SentHead};
use crate::table::sequence::{SequenceKey, SequenceTable};

/// Outgoing streams, and a bounded number of keys.
#[derive(Debug)]
pub(crate) struct Outbox {
    streams: FastMap<SequenceKey, Stream>,
    /// Streams that have grown since the last frame was sealed.
    touched: BTreeSet<SequenceKey>,
    keys: HashTable<KeySent>,
    keys_max: usize,
    hashing: Hashing,
    /// The slot of the last message without a key.
    next_slot: u8,
}

#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    last: u64,
    /// The highest sequence whose key may be forgotten.
    horizon: u64,
}

/// The last message of a key.
#[derive(Debug)]
struct KeySent {
    topic: NameNo,
    key: Box<str>,
    sequence: u64,
}

/// The place of a message that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) slot: u8,
    pub(crate) sequence: u64,
    pub(crate) prev: Option<u64>,
    pub(crate) horizon: u64,
}

impl Outbox {
    /// No streams; the last sequences of so many keys are remembered.
    pub(crate) fn new(keys_max: usize) -> Self {
        Outbox {
            streams: FastMap::default(),
            touched: BTreeSet::new(),
            keys: HashTable::new(),
            keys_max,
            hashing: Hashing::default(),
            next_slot: 0,
        }
    }

    /// Knows how far a stream was. All its keys are forgotten.
    pub(crate) fn recover(&mut self, key: SequenceKey, last: u64) {
        self.streams.insert(key, Stream { last, horizon: last });
    }

    /// Gives a message its place.
    pub(crate) fn place(&mut self, topic: NameNo, key: Option<&str>) -> Place {
        let slot = match key {
            Some(key) => Slot::of(key).0,
            None => {
                self.next_slot = self.next_slot.wrapping_add(1);
                self.next_slot
            }
        };
        let of = SequenceKey { topic, slot };
        self.touched.insert(of);
        let stream = self.streams.entry(of).or_default();
        stream.last += 1;
        let (sequence, horizon) = (stream.last, stream.horizon);
        let prev = key.and_then(|key| self.replace(topic, key, sequence));
        Place { slot, sequence, prev, horizon }
    }

    /// Sends the messages of an outcome.
    pub(crate) fn send(
        &mut self,
        position: Position,
        handler: NameNo,
        outcome: &Outcome,
        time_ms: u64,
        frame: &mut Frame,
    ) {
        for (send, nth) in outcome.sends.iter().zip(0..) {
            // A key was written as a text.
            let key = send.key.as_ref().map(|key| std::str::from_utf8(outcome.part(key)));
            let key = key.map(Result::unwrap_or_default);
            let Place { slot, sequence, prev, horizon } = self.place(send.topic, key);
            let (topic, type_name) = (send.topic, send.type_name);
            let cause = Some(Cause { position, handler, nth });
            let head = SentHead { topic, type_name, slot, sequence, prev, horizon, time_ms, cause };
            let (headers, body) = (outcome.part(&send.headers), outcome.part(&send.body));
            frame.send(&Sent { head, key, headers, body });
        }
    }

    /// Remembers a key's last sequence; the one before, if that is remembered.
    fn replace(&mut self, topic: NameNo, key: &str, sequence: u64) -> Option<u64> {
        let hash = self.hashing.hash_one((topic, key));
        let is_same = |sent: &KeySent| sent.topic == topic && *sent.key == *key;
        if let Some(sent) = self.keys.find_mut(hash, is_same) {
            return Some(std::mem::replace(&mut sent.sequence, sequence));
        }
        if self.keys.len() >= self.keys_max {
            // All are forgotten at once: what that costs is a horizon, not an order.
            self.keys.clear();
            if mutants::holds(Mutant::NoHorizon) {
                self.streams.values_mut().for_each(|stream| stream.horizon = stream.last);
            }
            if let Some(stream) =
                self.streams.get_mut(&SequenceKey { topic, slot: Slot::of(key).0 })
            {
                stream.horizon = sequence - 1;
            }
        }
        let hashing = self.hashing;
        self.keys.insert_unique(hash, KeySent { topic, key: key.into(), sequence }, |sent| {
            hashing.hash_one((sent.topic, &*sent.key))
        });
        None
    }

    /// Puts how far the streams are into a frame that is sealed.
    pub(crate) fn seal(&mut self, frame: &mut Frame) {
        for key in std::mem::take(&mut self.touched) {
            if !mutants::holds(Mutant::SequencesAreNotStored) {
                continue;
            }
            let last = self.streams.get(&key).map_or(0, |stream| stream.last);
            frame.put::<SequenceTable>(&key, &last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: NameNo = NameNo(1);

    #[test]
    fn sequences_are_dense_and_a_key_names_its_previous_one() {
        let mut outbox = Outbox::new(8);
        let first = outbox.place(TOPIC, Some("ada"));
        let second = outbox.place(TOPIC, Some("ada"));
        assert_eq!((first.sequence, first.prev, first.horizon), (1, None, 0));
        assert_eq!((second.slot, second.sequence, second.prev), (first.slot, 2, Some(1)));
        assert_eq!(outbox.place(NameNo(2), Some("ada")).sequence, 1, "a topic has its own streams");
        let slots = [outbox.place(TOPIC, None).slot, outbox.place(TOPIC, None).slot];
        assert_ne!(slots[0], slots[1], "what has no key is spread");
        let mut frame = Frame::default();
        outbox.seal(&mut frame);
        assert_eq!(frame.view().rows().count(), 4);
    }

    #[test]
    fn what_is_forgotten_lies_at_or_below_the_horizon() {
        let mut outbox = Outbox::new(2);
        let mut last = std::collections::BTreeMap::new();
        for n in 0..200_u32 {
            let key = format!("key-{}", n * 7 % 5);
            let place = outbox.place(TOPIC, Some(&key));
            let before = last.insert(key, place.sequence);
            assert!(outbox.keys.len() <= 2);
            match (place.prev, before) {
                (prev, before) if prev == before => {}
                (None, Some(before)) => assert!(before <= place.horizon, "{place:?} {before}"),
                other => panic!("{place:?} {other:?}"),
            }
        }
        let mut again = Outbox::new(2);
        again.recover(SequenceKey { topic: TOPIC, slot: Slot::of("ada").0 }, 9);
        let place = again.place(TOPIC, Some("ada"));
        assert_eq!((place.sequence, place.prev, place.horizon), (10, None, 9));
    }
}
