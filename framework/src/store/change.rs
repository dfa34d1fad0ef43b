//! What a commit changes, as it stands in the journal: absolute values, so that applying the same
//! changes again gives the same.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::ids::IdRow;
use super::{Failure, InvalidMessage, Scheduled, Wait};
use crate::stream::{Key, PartitionId, StreamId};

/// The number under which a store keeps a name, a stream or a partition.
pub(super) type Id = u32;

/// One change. The order of the variants is the format: new ones go to the end, none is reused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Change {
    /// A name (of a topic, type, handler) and the number that stands for it from here on.
    Name(Id, Arc<str>),
    /// A stream that somebody sends to this service.
    Stream(Id, StreamId),
    /// A partition that this service reads.
    Partition(Id, PartitionId),
    /// The app has this handler.
    Handler(Id, Registered),
    /// The number that stands for a state's name from here on, and whether the app has it. States
    /// are numbered apart from other names, so that one can be renamed.
    StateName(Id, Arc<str>, Registered),
    /// The app takes this type (second) from this topic (first).
    Type(Id, Id, Registered),
    /// A sequence of a stream is settled.
    Settled(Id, u64),
    /// The highest floor seen of a stream.
    Floor(Id, u64),
    /// The handlers still to do for a position; none: it is no longer pending.
    Pending(Place, Vec<Id>),
    /// An offset of a partition is done.
    Done(Id, u64),
    /// A state's value.
    State(StateRow),
    /// A message has its position.
    Send(SendRow),
    /// The broker has all of an outgoing stream (topic, slot) through this sequence.
    Confirmed(Id, u8, u64),
    /// The floor that an outgoing stream's messages carry from now on.
    SendFloor(Id, u8, u64),
    /// The next number of an intake source.
    Intake(Arc<str>, u64),
    /// Offsets of a partition, first to last, hold nothing for this service.
    Passed(Id, u64, u64),
    /// What is known of a kept delivery without reading it.
    Kept(KeptRow),
    /// The message of the kept delivery of that number.
    KeptMessage(u64, KeptBody),
    /// A failed attempt of the kept delivery of that number: its how manieth, from 0.
    KeptFailure(u64, u32, Failure),
    /// The delivery of that number, with so many failed attempts, is kept no more.
    KeptGone(u64, u32),
    /// A message waits for its time.
    Timer(TimerRow),
    /// It does so no more.
    TimerGone(TimerKey),
    /// A record that is no message, under its number.
    Invalid(u64, InvalidMessage),
    /// The record of that number is gone.
    InvalidGone(u64),
    /// Messages of a topic's (first) type (second) are of this type from here on; none: no more.
    TypeRenamed(Id, Id, Option<Id>),
    /// A schedule has been sent up to a time.
    Scheduled(Scheduled),
    /// The app has no schedule of that name.
    ScheduleGone(Arc<str>),
    /// The latest commit time among the settled messages of a stream.
    StreamTime(Id, u64),
    /// Runs of sequences of a stream, first and last each, never came and count as settled.
    HolesPassed(Id, Vec<(u64, u64)>),
    /// An intake source is forgotten.
    SourceGone(Arc<str>),
    /// An id was sent.
    Id(IdRow),
    /// The id of that number is forgotten.
    IdGone(u64),
}

/// Whether the app has something (still).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Registered {
    Yes,
    No,
}

/// A position by numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Place {
    Stream(Id, u64),
    Foreign(Id, u64),
}

/// A state's row; without a value it is deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct StateRow {
    pub(super) name: Id,
    pub(super) key: Key,
    pub(super) version: u64,
    pub(super) schema: u32,
    pub(super) json: Option<Bytes>,
}

/// A message in the outbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SendRow {
    pub(super) topic: Id,
    pub(super) slot: u8,
    pub(super) sequence: u64,
    pub(super) type_name: Id,
    pub(super) key: Option<Key>,
    pub(super) prev: Option<u64>,
    pub(super) horizon: u64,
    pub(super) floor: u64,
    pub(super) cause: Option<(Place, Id, u32)>,
    pub(super) time_ms: u64,
    pub(super) headers: Bytes,
    pub(super) body: Bytes,
}

/// A kept delivery, without its message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptRow {
    pub(super) number: u64,
    pub(super) place: Place,
    pub(super) handler: Id,
    pub(super) key: Option<Key>,
    pub(super) since_ms: u64,
    pub(super) wait: Wait,
    pub(super) attempts: u32,
    pub(super) late: bool,
    pub(super) bytes: u32,
    /// How many failed attempts it has had, those before a replay and forgotten ones among them.
    pub(super) failures: u32,
}

/// The message of a kept delivery, and the handlers that its position had when it came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptBody {
    pub(super) topic: Id,
    pub(super) type_name: Id,
    pub(super) prev: Option<u64>,
    pub(super) horizon: u64,
    pub(super) floor: u64,
    pub(super) digest: Option<u128>,
    pub(super) headers: Bytes,
    pub(super) body: Bytes,
    pub(super) handlers: Vec<Id>,
}

/// A timer: when it is due, its number, and what can be looked up by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TimerKey {
    pub(super) due_ms: u64,
    pub(super) number: u64,
    pub(super) topic: Id,
    pub(super) type_name: Id,
    pub(super) key: Option<Key>,
    pub(super) name: Option<Arc<str>>,
}

/// A message that waits for its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TimerRow {
    pub(super) timer: TimerKey,
    pub(super) cause: Option<(Place, Id, u32)>,
    pub(super) headers: Bytes,
    pub(super) body: Bytes,
}

/// The version of this file's format, the first byte of every encoded batch.
const FORMAT: u8 = 1;

/// Encodes a batch's changes.
pub(super) fn encode(changes: &[Change]) -> Result<Vec<u8>, postcard::Error> {
    let mut bytes = Vec::with_capacity(64 + changes.len() * 96);
    bytes.push(FORMAT);
    for change in changes {
        bytes = postcard::to_extend(change, bytes)?;
    }
    Ok(bytes)
}

/// Why bytes are no batch.
#[derive(Debug, thiserror::Error)]
pub(super) enum DecodeError {
    #[error("it has format {0:?}, this version of endwise knows format {FORMAT}")]
    Format(Option<u8>),
    #[error("it is not a batch of changes: {0}")]
    Damaged(#[from] postcard::Error),
}

/// Decodes what [`encode`] made, handing on change by change.
pub(super) fn decode(bytes: &[u8], mut each: impl FnMut(Change)) -> Result<(), DecodeError> {
    let (&first, mut rest) = bytes.split_first().ok_or(DecodeError::Format(None))?;
    if first != FORMAT {
        return Err(DecodeError::Format(Some(first)));
    }
    while !rest.is_empty() {
        let (change, after) = postcard::take_from_bytes(rest)?;
        each(change);
        rest = after;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Claim, How};
    use crate::stream::Slot;

    fn one_of_each() -> Vec<Change> {
        let stream = StreamId {
            service: "shipping".into(),
            store: 7,
            epoch: 1,
            topic: "charges".into(),
            slot: Slot(9),
        };
        let partition = PartitionId {
            cluster: "c".into(),
            topic: "charges".into(),
            incarnation: 3,
            partition: 2,
        };
        let state = StateRow {
            name: 1,
            key: "k".into(),
            version: 4,
            schema: 2,
            json: Some(Bytes::from_static(b"{}")),
        };
        let send = SendRow {
            topic: 1,
            slot: 9,
            sequence: 5,
            type_name: 2,
            key: Some("k".into()),
            prev: Some(4),
            horizon: 0,
            floor: 1,
            cause: Some((Place::Foreign(0, 8), 3, 0)),
            time_ms: 12,
            headers: Bytes::new(),
            body: Bytes::from_static(b"[1]"),
        };
        vec![
            Change::Name(1, "charges".into()),
            Change::Stream(2, stream),
            Change::Partition(3, partition),
            Change::Handler(4, Registered::Yes),
            Change::StateName(5, "account".into(), Registered::No),
            Change::Type(1, 2, Registered::Yes),
            Change::Settled(2, 77),
            Change::Floor(2, 70),
            Change::Pending(Place::Stream(2, 78), vec![4]),
            Change::Done(3, 90),
            Change::State(state),
            Change::Send(send),
            Change::Confirmed(1, 9, 5),
            Change::SendFloor(1, 9, 2),
            Change::Intake("upload-3".into(), 6),
            Change::Passed(3, 0, 80),
        ]
        .into_iter()
        .chain(of_failure_and_time())
        .chain(of_intake())
        .collect()
    }

    fn of_intake() -> Vec<Change> {
        vec![
            Change::SourceGone("upload-3".into()),
            Change::Id(IdRow {
                number: 9,
                source: "http".into(),
                id: "k1".into(),
                digest: u128::MAX,
                until_ms: 16,
            }),
            Change::IdGone(9),
        ]
    }

    fn undecodable() -> InvalidMessage {
        InvalidMessage {
            at_ms: 15,
            partition: Arc::new(PartitionId {
                cluster: "c".into(),
                topic: "charges".into(),
                incarnation: 3,
                partition: 2,
            }),
            offset: 7,
            reason: "it has no type".into(),
            key: None,
            headers: Bytes::new(),
            body: Bytes::from_static(b"?"),
            is_whole: true,
            claim: Claim::Open,
        }
    }

    fn of_failure_and_time() -> Vec<Change> {
        let kept = KeptRow {
            number: 6,
            place: Place::Stream(2, 79),
            handler: 4,
            key: Some("k".into()),
            since_ms: 13,
            wait: Wait::Dead { since_ms: 14, skip_ms: Some(20) },
            attempts: 3,
            late: true,
            bytes: 3,
            failures: 2,
        };
        let message = KeptBody {
            topic: 1,
            type_name: 2,
            prev: Some(78),
            horizon: 0,
            floor: 70,
            digest: Some(u128::MAX),
            headers: Bytes::new(),
            body: Bytes::from_static(b"[1]"),
            handlers: vec![4],
        };
        let errors = vec!["no connection".into()];
        let failure = Failure { at_ms: 14, attempt: 3, how: How::TimedOut, errors };
        let timer = TimerKey {
            due_ms: 90,
            number: 7,
            topic: 1,
            type_name: 2,
            key: Some("k".into()),
            name: Some("reminder".into()),
        };
        let waits = TimerRow {
            timer: timer.clone(),
            cause: Some((Place::Foreign(0, 8), 3, 0)),
            headers: Bytes::new(),
            body: Bytes::from_static(b"[2]"),
        };
        vec![
            Change::Kept(kept),
            Change::KeptMessage(6, message),
            Change::KeptFailure(6, 1, failure),
            Change::KeptGone(6, 2),
            Change::Timer(waits),
            Change::TimerGone(timer),
            Change::Invalid(8, undecodable()),
            Change::InvalidGone(8),
            Change::TypeRenamed(1, 2, Some(3)),
            Change::Scheduled(Scheduled {
                name: "nightly".into(),
                cron: "0 3 * * *".into(),
                last_ms: 16,
            }),
            Change::ScheduleGone("nightly".into()),
            Change::StreamTime(2, 1_767_225_600_000),
            Change::HolesPassed(2, vec![(1, 4), (9, 9)]),
        ]
    }

    #[test]
    fn every_change_survives_its_bytes() {
        let changes = one_of_each();
        let mut read = Vec::new();
        decode(&encode(&changes).unwrap(), |change| read.push(change)).unwrap();
        assert_eq!(read, changes);
    }

    #[test]
    fn the_numbers_of_the_format_stay() {
        let numbers: Vec<u8> = one_of_each()
            .iter()
            .map(|change| encode(std::slice::from_ref(change)).unwrap()[1])
            .collect();
        assert_eq!(numbers, (0..32).collect::<Vec<u8>>(), "a variant moved: that breaks old data");
    }

    #[test]
    fn another_format_and_cut_bytes_are_refused() {
        assert!(matches!(decode(&[9], |_| ()), Err(DecodeError::Format(Some(9)))));
        assert!(matches!(decode(&[], |_| ()), Err(DecodeError::Format(None))));
        let bytes = encode(&one_of_each()).unwrap();
        let cut = decode(&bytes[..bytes.len() - 1], |_| ());
        assert!(matches!(cut, Err(DecodeError::Damaged(_))));
    }
}
