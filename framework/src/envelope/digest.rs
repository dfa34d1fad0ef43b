//! The digest: what the last code before the handler holds a message against.

use xxhash_rust::xxh3::xxh3_128;

use super::Envelope;
use super::attributes::SUBJECT;
use crate::stream::{Position, StreamId};

/// What a digest covers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Covered<'a> {
    pub(crate) stream: &'a StreamId,
    pub(crate) sequence: u64,
    pub(crate) type_name: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) prev: Option<u64>,
    pub(crate) horizon: u64,
    pub(crate) body: &'a [u8],
}

impl Covered<'_> {
    /// XXH3-128 over all of it, each part with its length, so that nothing can slide from one
    /// part into the next. The caller's buffer is reused from message to message.
    pub(crate) fn digest(&self, buffer: &mut Vec<u8>) -> u128 {
        let StreamId { service, store, epoch, topic, slot } = self.stream;
        buffer.clear();
        for part in [service, topic, self.type_name, self.key.unwrap_or_default()] {
            put(buffer, part.as_bytes());
        }
        buffer.extend_from_slice(&store.to_le_bytes());
        buffer.extend_from_slice(&epoch.to_le_bytes());
        buffer.extend_from_slice(&[slot.0, self.key.is_some().into()]);
        for number in [self.sequence, self.prev.unwrap_or(0), self.horizon] {
            buffer.extend_from_slice(&number.to_le_bytes());
        }
        put(buffer, self.body);
        xxh3_128(buffer)
    }
}

impl Envelope {
    /// Whether the message is what its sender committed. A foreign one has no digest, and fits.
    pub(crate) fn digest_fits(&self, buffer: &mut Vec<u8>) -> bool {
        let (Position::Stream(stream, sequence), Some(digest)) = (&self.position, self.digest)
        else {
            return true;
        };
        let mut covered = Covered {
            stream,
            sequence: *sequence,
            type_name: &self.type_name,
            key: self.key.as_deref(),
            prev: self.context.prev,
            horizon: self.context.horizon,
            body: &self.body,
        };
        if covered.digest(buffer) == digest {
            return true;
        }
        // Its sender named no key: the one that it has here was read from its body.
        covered.key = None;
        self.headers.get(SUBJECT).is_none() && covered.digest(buffer) == digest
    }
}

/// A part, its length before it.
pub(crate) fn put(buffer: &mut Vec<u8>, part: &[u8]) {
    buffer.extend_from_slice(&(part.len() as u64).to_le_bytes());
    buffer.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Slot;

    #[test]
    fn every_part_counts() {
        let stream = StreamId {
            service: "shipping".into(),
            store: 1,
            epoch: 2,
            topic: "charges".into(),
            slot: Slot(3),
        };
        let other = StreamId { epoch: 3, ..stream.clone() };
        let base = Covered {
            stream: &stream,
            sequence: 4,
            type_name: "Charge",
            key: Some("w1"),
            prev: Some(3),
            horizon: 0,
            body: b"{}",
        };
        let variants = [
            base,
            Covered { stream: &other, ..base },
            Covered { sequence: 5, ..base },
            Covered { type_name: "charge", ..base },
            Covered { key: Some("w2"), ..base },
            Covered { key: None, ..base },
            Covered { prev: None, ..base },
            Covered { horizon: 1, ..base },
            Covered { body: b"{ }", ..base },
        ];
        let mut buffer = Vec::new();
        let digests: std::collections::BTreeSet<u128> =
            variants.iter().map(|covered| covered.digest(&mut buffer)).collect();
        assert_eq!(digests.len(), variants.len());
        // Fixed for ever: stored and travelling messages carry it.
        assert_eq!(base.digest(&mut buffer), 10_137_788_172_903_593_279_117_305_166_578_613_191);
    }
}
