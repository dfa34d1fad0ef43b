//! What must survive the segments that are dropped, as one frame.
//!
//! One stands near the beginning of every segment, and one follows every change of a topic or
//! a registration; so the newest one in the live segments is always enough.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::EmbeddedError;

/// Kind and version of a snapshot's frame.
pub(super) const SNAPSHOT: [u8; 2] = [2, 1];

/// The topics and consumers. What follows kind and version, in postcard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Snapshot {
    /// By number: a topic's number is its place here, for ever.
    pub(super) topics: Vec<TopicRow>,
    pub(super) consumers: Vec<ConsumerRow>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TopicRow {
    pub(super) name: Arc<str>,
    pub(super) incarnation: u64,
    /// By partition: the offset that the next record gets.
    pub(super) next: Vec<u64>,
}

/// A registered consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ConsumerRow {
    pub(super) name: Arc<str>,
    /// Topic, partition, and the offset below which all is settled.
    pub(super) settled: Vec<(u32, u32, u64)>,
}

impl Snapshot {
    /// As a frame's payload.
    pub(super) fn encode(&self) -> Result<Vec<u8>, EmbeddedError> {
        postcard::to_extend(self, SNAPSHOT.to_vec())
            .map_err(|_| EmbeddedError::Frame("a snapshot cannot be written"))
    }

    /// Reads a frame's payload; `None` if it is of another kind.
    pub(super) fn decode(payload: &[u8]) -> Result<Option<Self>, EmbeddedError> {
        let Some((kind, rest)) = payload.split_first_chunk::<2>() else { return Ok(None) };
        if *kind != SNAPSHOT {
            return Ok(None);
        }
        let malformed = |_| EmbeddedError::Frame("its snapshot is malformed");
        postcard::from_bytes(rest).map(Some).map_err(malformed)
    }
}
