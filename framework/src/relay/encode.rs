//! Encoding: a row of the outbox → what is published.

use std::fmt::Write;

use bytes::BytesMut;

use crate::broker::Publication;
use crate::envelope::attributes as name;
use crate::envelope::digest::Covered;
use crate::envelope::{Headers, put_header};
use crate::store::OutboxRow;
use crate::stream::StreamId;

/// Encodes rows; its buffers serve one message after the other.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    text: String,
    covered: Vec<u8>,
    time: (u64, String),
    flat: BytesMut,
}

impl Encoder {
    /// The message as it travels.
    pub(crate) fn encode(&mut self, row: &OutboxRow) -> Publication {
        let digest = self.digest(row);
        self.flat.reserve(512 + row.headers.as_bytes().len());
        let StreamId { service, store, epoch, topic, slot } = &*row.stream;
        put_header(&mut self.flat, name::SPEC_VERSION, "1.0");
        self.put(name::ID, format_args!("{}-{}", slot.0, row.sequence));
        let prefix = name::SOURCE_PREFIX;
        self.put(name::SOURCE, format_args!("{prefix}{service}/{store:016x}/{epoch}/{topic}"));
        put_header(&mut self.flat, name::TYPE, &row.type_name);
        if let Some(key) = &row.key {
            put_header(&mut self.flat, name::SUBJECT, key);
        }
        self.put_time(row.time_ms);
        put_header(&mut self.flat, name::CONTENT_TYPE, name::JSON);
        self.put(name::SEQUENCE, format_args!("{}", row.sequence));
        if let Some(prev) = row.context.prev {
            self.put(name::PREV, format_args!("{prev}"));
        }
        if row.context.horizon > 0 {
            self.put(name::HORIZON, format_args!("{}", row.context.horizon));
        }
        self.put(name::FLOOR, format_args!("{}", row.context.floor));
        if let Some(cause) = &row.cause {
            let (position, handler, index) = (&cause.position, &cause.handler, cause.index);
            self.put(name::CAUSE, format_args!("{position};{handler};{index}"));
        }
        self.put(name::DIGEST, format_args!("{digest:032x}"));
        self.flat.extend_from_slice(row.headers.as_bytes());
        Publication {
            topic: topic.clone(),
            slot: *slot,
            key: row.key.clone(),
            headers: Headers::written(self.flat.split().freeze()),
            body: row.body.clone(),
        }
    }

    fn digest(&mut self, row: &OutboxRow) -> u128 {
        let covered = Covered {
            stream: &row.stream,
            sequence: row.sequence,
            type_name: &row.type_name,
            key: row.key.as_deref(),
            prev: row.context.prev,
            horizon: row.context.horizon,
            body: &row.body,
        };
        covered.digest(&mut self.covered)
    }

    fn put(&mut self, name: &str, value: std::fmt::Arguments<'_>) {
        self.text.clear();
        // Writing to a string does not fail.
        let _ = self.text.write_fmt(value);
        put_header(&mut self.flat, name, &self.text);
    }

    /// Messages of one commit have one time, so its text is made once.
    fn put_time(&mut self, time_ms: u64) {
        if self.time.0 != time_ms || self.time.1.is_empty() {
            let ms = i64::try_from(time_ms).unwrap_or(i64::MAX);
            let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
            self.time = (time_ms, time.to_string());
        }
        put_header(&mut self.flat, name::TIME, &self.time.1);
    }
}
