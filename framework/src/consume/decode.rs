//! Decode: record → envelope.

use std::sync::Arc;

use crate::broker::Record;
use crate::envelope::attributes as name;
use crate::envelope::{Context, Envelope};
use crate::hash::FastMap;
use crate::limits::MessageLimits;
use crate::stream::{Key, Position, Slot, StreamId};

mod attributes;
mod size;

use attributes::Attributes;

/// How many senders' streams and types are remembered; those beyond are made anew each time.
const REMEMBERED_MAX: usize = 4_096;

/// A record that is no message.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// An attribute is missing.
    #[error("it says that it comes from Endwise, and lacks the attribute {0}")]
    Missing(&'static str),
    /// An attribute cannot be read.
    #[error("its attribute {0} cannot be read: {1:?}")]
    Malformed(&'static str, Box<str>),
    /// Nothing says what it is.
    #[error(
        "it has no {} header, and {topic:?} has several types: its sender must name one of them",
        name::TYPE
    )]
    NoType {
        /// The topic.
        topic: Arc<str>,
    },
    /// The digest does not fit.
    #[error("its digest does not fit its content: it was changed on the way")]
    Digest,
    /// Its body is no JSON.
    #[error("its body is no JSON: {0}")]
    Body(Arc<str>),
    /// It has more of something than this service lets a message have.
    #[error("it has {found} {what}, {most} is the limit")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How much.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// Its position is known, with another content.
    #[error(
        "its position {position} is known, and belongs to another message: its sender's store was \
         put back from an older copy, or somebody else sends under its name"
    )]
    Other {
        /// The position.
        position: Box<Position>,
    },
    /// Its key is too long.
    #[error("it has no usable key: {0}")]
    Key(Arc<str>),
}

/// Decodes records; remembers the names that come again and again.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    limits: MessageLimits,
    sources: FastMap<Box<str>, Vec<Option<Arc<StreamId>>>>,
    types: FastMap<Box<str>, Arc<str>>,
    /// The last commit time that was read: messages of one commit have the same.
    time: (Box<str>, u64),
}

impl Decoder {
    /// One that takes messages within these limits.
    pub(crate) fn new(limits: MessageLimits) -> Self {
        Decoder { limits, ..Decoder::default() }
    }

    /// The message in a record. A record without a type takes `only_type`, the one type that its
    /// topic has here.
    pub(crate) fn decode(
        &mut self,
        record: &Record,
        only_type: impl FnOnce() -> Option<Arc<str>>,
    ) -> Result<Envelope, Invalid> {
        size::check(self.limits, &record.headers, &record.body)?;
        self.read(record, only_type)
    }

    /// The message in a record of any size.
    fn read(
        &mut self,
        record: &Record,
        only_type: impl FnOnce() -> Option<Arc<str>>,
    ) -> Result<Envelope, Invalid> {
        let found = Attributes::of(&record.headers);
        let position = match found.source.filter(|s| s.starts_with(name::SOURCE_PREFIX)) {
            Some(source) => self.position(source, found.id)?,
            None => Position::Foreign(Arc::clone(&record.partition), record.offset),
        };
        let ours = matches!(position, Position::Stream(..));
        let type_name = match found.type_name {
            Some(type_name) => self.type_name(type_name),
            None if ours => return Err(Invalid::Missing(name::TYPE)),
            None => only_type()
                .ok_or_else(|| Invalid::NoType { topic: Arc::clone(&record.partition.topic) })?,
        };
        let digest = match found.digest {
            Some(text) if ours => {
                Some(u128::from_str_radix(text, 16).map_err(|_| malformed(name::DIGEST, text))?)
            }
            None if ours => return Err(Invalid::Missing(name::DIGEST)),
            _ => None,
        };
        let context = if ours { context(&found)? } else { Context::default() };
        let key = match found.subject {
            Some(subject) if ours || !subject.is_empty() => Some(Key::from(subject)),
            _ => record.key.clone().filter(|key| !ours && !key.is_empty()),
        };
        Ok(Envelope {
            position,
            topic: Arc::clone(&record.partition.topic),
            type_name,
            key,
            context,
            digest,
            headers: record.headers.clone(),
            time_ms: found.time.filter(|_| ours).map_or(0, |text| self.time(text)),
            body: record.body.clone(),
        })
    }

    /// The position that a record names which this service cannot take, if it can be trusted: its
    /// digest fits, so that its sender has sent it as it is.
    pub(crate) fn trusted(&mut self, record: &Record, digest: &mut Vec<u8>) -> Option<Envelope> {
        let envelope = self.read(record, || None).ok()?;
        let is_ours = matches!(envelope.position, Position::Stream(..));
        (is_ours && envelope.digest_fits(digest)).then_some(envelope)
    }

    /// A commit time in milliseconds since 1970; 0 if it cannot be read.
    fn time(&mut self, text: &str) -> u64 {
        if *self.time.0 != *text {
            let read = text.parse::<jiff::Timestamp>();
            let ms = read.map_or(0, |time| u64::try_from(time.as_millisecond()).unwrap_or(0));
            self.time = (text.into(), ms);
        }
        self.time.1
    }

    fn type_name(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.types.get(text) {
            return Arc::clone(known);
        }
        let made: Arc<str> = text.into();
        if self.types.len() < REMEMBERED_MAX {
            self.types.insert(text.into(), Arc::clone(&made));
        }
        made
    }

    /// The position that source and id name.
    fn position(&mut self, source: &str, id: Option<&str>) -> Result<Position, Invalid> {
        let id = id.ok_or(Invalid::Missing(name::ID))?;
        let parts = id.split_once('-');
        let numbers = parts.and_then(|(slot, n)| Some((slot.parse().ok()?, n.parse().ok()?)));
        let (slot, sequence): (u8, u64) = numbers.ok_or_else(|| malformed(name::ID, id))?;
        Ok(Position::Stream(self.stream(source, slot)?, sequence))
    }

    fn stream(&mut self, source: &str, slot: u8) -> Result<Arc<StreamId>, Invalid> {
        let known = self.sources.get(source).and_then(|slots| slots.get(usize::from(slot)));
        if let Some(Some(stream)) = known {
            return Ok(Arc::clone(stream));
        }
        let parsed = parse_source(source, slot).ok_or_else(|| malformed(name::SOURCE, source))?;
        let stream = Arc::new(parsed);
        let room = self.sources.len() < REMEMBERED_MAX;
        if room && !self.sources.contains_key(source) {
            self.sources.insert(source.into(), vec![None; Slot::COUNT]);
        }
        let slots = self.sources.get_mut(source);
        if let Some(place) = slots.and_then(|slots| slots.get_mut(usize::from(slot))) {
            *place = Some(Arc::clone(&stream));
        }
        Ok(stream)
    }
}

fn parse_source(source: &str, slot: u8) -> Option<StreamId> {
    let mut parts = source.strip_prefix(name::SOURCE_PREFIX)?.splitn(4, '/');
    Some(StreamId {
        service: parts.next()?.into(),
        store: u64::from_str_radix(parts.next()?, 16).ok()?,
        epoch: parts.next()?.parse().ok()?,
        topic: parts.next()?.into(),
        slot: Slot(slot),
    })
}

fn context(found: &Attributes<'_>) -> Result<Context, Invalid> {
    let number = |name, text: Option<&str>| match text {
        Some(text) => text.parse().map(Some).map_err(|_| malformed(name, text)),
        None => Ok(None),
    };
    Ok(Context {
        prev: number(name::PREV, found.prev)?,
        horizon: number(name::HORIZON, found.horizon)?.unwrap_or(0),
        floor: number(name::FLOOR, found.floor)?.unwrap_or(0),
    })
}

fn malformed(name: &'static str, text: &str) -> Invalid {
    Invalid::Malformed(name, text.chars().take(200).collect())
}
