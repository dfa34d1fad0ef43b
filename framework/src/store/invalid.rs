//! The records that are no message: which there are, and how much of one is stored.

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};

use super::InvalidMessage;
use super::limits::ROW_BYTES_MAX;
use crate::envelope::{Headers, put_header};

/// The most that is stored of the text that says what is wrong with it, and of its key.
const TEXT_BYTES_MAX: usize = 4_096;

/// The most that is stored of its headers; those that do not fit are left out.
const HEADER_BYTES_MAX: usize = 256 << 10;

/// The numbers of those records.
#[derive(Debug)]
pub(super) struct Invalids {
    numbers: BTreeSet<u64>,
    /// The number of the next one.
    pub(super) next: u64,
}

impl Default for Invalids {
    fn default() -> Self {
        Invalids { numbers: BTreeSet::new(), next: 1 }
    }
}

impl Invalids {
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        self.numbers.contains(&number)
    }

    pub(super) fn set(&mut self, number: u64) {
        self.next = self.next.max(number.saturating_add(1));
        self.numbers.insert(number);
    }

    pub(super) fn remove(&mut self, number: u64) {
        self.numbers.remove(&number);
    }
}

/// How many bytes of a record are stored, at most.
pub(super) fn stored_bytes(message: &InvalidMessage) -> usize {
    let InvalidMessage { partition, reason, key, headers, body, .. } = message;
    let names = partition.cluster.len() + partition.topic.len();
    let bytes = names + reason.len() + key.as_ref().map_or(0, String::len);
    (bytes + headers.len() + body.len()).min(ROW_BYTES_MAX)
}

/// The record as it is stored: cut where a part of it is larger than a row holds, which the reason
/// then says. What it is worth is told from its beginning.
pub(super) fn stored(message: &InvalidMessage) -> InvalidMessage {
    let key = message.key.as_deref().map(|key| start(key, TEXT_BYTES_MAX));
    let headers = first_headers(&message.headers);
    let room = ROW_BYTES_MAX - 4 * TEXT_BYTES_MAX - headers.len();
    let body = message.body.slice(..message.body.len().min(room));
    let mut reason = start(&message.reason, TEXT_BYTES_MAX);
    let is_cut = |stored: usize, came: usize| (stored < came).then_some((stored, came));
    let cuts = [
        (
            "key",
            is_cut(key.as_deref().map_or(0, str::len), message.key.as_deref().map_or(0, str::len)),
        ),
        ("headers", is_cut(headers.len(), message.headers.len())),
        ("body", is_cut(body.len(), message.body.len())),
    ];
    let mut is_whole = message.is_whole;
    for (part, cut) in cuts {
        if let Some((stored, came)) = cut {
            is_whole = false;
            reason.push_str(&format!(" (of its {part} {stored} of {came} bytes are stored)"));
        }
    }
    InvalidMessage { key, reason, headers, body, is_whole, ..message.clone() }
}

/// The beginning of a text, of so many bytes at most.
fn start(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
}

/// As many whole headers as are stored; bytes that are no headers are left out.
fn first_headers(bytes: &Bytes) -> Bytes {
    let Some(headers) = Headers::from_bytes(bytes.clone()) else { return Bytes::new() };
    if bytes.len() <= HEADER_BYTES_MAX {
        return bytes.clone();
    }
    let mut flat = BytesMut::new();
    for (name, value) in headers.iter() {
        if flat.len() + 3 + name.len() + value.len() > HEADER_BYTES_MAX {
            break;
        }
        put_header(&mut flat, name, value);
    }
    flat.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::form::encode;
    use crate::stream::PartitionId;

    fn record(headers: Bytes, body: Bytes) -> InvalidMessage {
        let (cluster, topic) = ("c".into(), "t".into());
        let partition = PartitionId { cluster, topic, incarnation: 1, partition: 0 };
        InvalidMessage {
            at_ms: 1,
            partition: partition.into(),
            offset: 1,
            reason: "it has no type".into(),
            key: Some("k".into()),
            headers,
            body,
            is_whole: true,
            claim: super::super::Claim::Open,
        }
    }

    #[test]
    fn a_record_that_fits_is_stored_as_it_came() {
        let headers = [("tenant", "north")].into_iter().collect::<Headers>();
        let record = record(headers.as_bytes().clone(), Bytes::from_static(b"\xff"));
        assert_eq!(stored(&record), record);
    }

    #[test]
    fn a_larger_one_is_cut_and_says_so() {
        let value = "x".repeat(60_000);
        let headers: Headers =
            ["a", "b", "c", "d", "e"].map(|name| (name, &*value)).into_iter().collect();
        let long = InvalidMessage {
            reason: "é".repeat(9_000),
            key: Some("k".repeat(9_000)),
            ..record(headers.as_bytes().clone(), vec![b'x'; 3_000_000].into())
        };
        let cut = stored(&long);
        assert!(encode(&cut).unwrap().len() < ROW_BYTES_MAX);
        assert_eq!(Headers::from_bytes(cut.headers.clone()).unwrap().iter().count(), 4);
        assert!(cut.body.len() > 900_000 && !cut.is_whole);
        for part in ["key", "headers", "body"] {
            assert!(cut.reason.contains(&format!("of its {part} ")), "{}", cut.reason);
        }
        assert!(cut.reason.starts_with("éé"));
    }
}
