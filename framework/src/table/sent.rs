//! A message that a commit sends, in its final form: a relay copies the bytes.

use super::RowError;
use super::fields::{Fields, PutField};
use crate::ids::{NameNo, Position};

/// The form of a sent message.
const FORMAT: u8 = 1;

/// The head of a sent message. Its sender's service, store, epoch and writer are those of the log that
/// it lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SentHead {
    pub(crate) topic: NameNo,
    pub(crate) type_name: NameNo,
    pub(crate) slot: u8,
    pub(crate) sequence: u64,
    /// The key's previous sequence in the stream; `None` where there is none, or it is forgotten.
    pub(crate) prev: Option<u64>,
    /// The highest sequence of the stream whose key may be forgotten.
    pub(crate) horizon: u64,
    /// The time of the commit, milliseconds since 1970.
    pub(crate) time_ms: u64,
    pub(crate) cause: Option<Cause>,
}

/// The delivery whose handling sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) position: Position,
    pub(crate) handler: NameNo,
    /// Its place among the messages of that outcome.
    pub(crate) nth: u32,
}

/// A sent message that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent<'a> {
    pub(crate) head: SentHead,
    /// `None` for a message that is about nothing: it is in no order.
    pub(crate) key: Option<&'a str>,
    pub(crate) headers: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl Sent<'_> {
    /// Writes it behind those that are there.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let SentHead { topic, type_name, slot, sequence, prev, horizon, time_ms, cause } =
            self.head;
        out.push(FORMAT);
        out.number(topic.0.into());
        out.number(type_name.0.into());
        out.push(slot);
        out.number(sequence);
        // No sequence is 0.
        out.number(prev.unwrap_or(0));
        out.number(horizon);
        out.number(time_ms);
        out.push(cause.is_some().into());
        if let Some(Cause { position, handler, nth }) = cause {
            out.number(position.stream.0.into());
            out.number(position.sequence);
            out.number(handler.0.into());
            out.number(nth.into());
        }
        out.push(self.key.is_some().into());
        self.key.iter().for_each(|key| out.blob(key.as_bytes()));
        out.blob(self.headers);
        out.blob(self.body);
    }
}

/// The messages of a frame, in the order of their streams.
#[derive(Clone, Debug)]
pub(crate) struct SentOf<'a>(Fields<'a>);

impl<'a> SentOf<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Self {
        SentOf(Fields::of(bytes))
    }

    fn one(fields: &mut Fields<'a>) -> Result<Sent<'a>, RowError> {
        let format = fields.byte()?;
        if format != FORMAT {
            let field = "the format of a sent message";
            return Err(RowError::Value { field, value: format.into() });
        }
        let mut head = SentHead {
            topic: NameNo(fields.number_u32("a topic")?),
            type_name: NameNo(fields.number_u32("a type")?),
            slot: fields.byte()?,
            sequence: fields.number()?,
            prev: Some(fields.number()?).filter(|prev| *prev != 0),
            horizon: fields.number()?,
            time_ms: fields.number()?,
            cause: None,
        };
        if fields.flag("a cause")? {
            let stream = crate::ids::StreamIx(fields.number_u32("a stream")?);
            head.cause = Some(Cause {
                position: Position { stream, sequence: fields.number()? },
                handler: NameNo(fields.number_u32("a handler")?),
                nth: fields.number_u32("a place in an outcome")?,
            });
        }
        let key = fields.flag("a key")?.then(|| fields.text()).transpose()?;
        Ok(Sent { head, key, headers: fields.blob()?, body: fields.blob()? })
    }
}

impl<'a> Iterator for SentOf<'a> {
    type Item = Result<Sent<'a>, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let one = SentOf::one(&mut self.0);
        if one.is_err() {
            // Nothing behind it can be told apart.
            self.0 = Fields::of(&[]);
        }
        Some(one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::StreamIx;

    fn sent() -> Sent<'static> {
        let position = Position { stream: StreamIx(513), sequence: 9 };
        let head = SentHead {
            topic: NameNo(1),
            type_name: NameNo(2),
            slot: 7,
            sequence: 300,
            prev: Some(5),
            horizon: 4,
            time_ms: 6,
            cause: Some(Cause { position, handler: NameNo(3), nth: 1 }),
        };
        Sent { head, key: Some("ada"), headers: b"h", body: b"[1]" }
    }

    #[test]
    fn its_bytes_stay_and_come_back() {
        let head = SentHead { prev: None, cause: None, ..sent().head };
        let plain = Sent { head, key: None, headers: b"", body: b"" };
        let mut bytes = Vec::new();
        sent().put(&mut bytes);
        plain.put(&mut bytes);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let first = "01010207ac020504060181040903010103616461".to_owned() + "016803" + "5b315d";
        assert_eq!(hex, first + "01010207ac02000406" + "0000" + "0000");
        let read: Vec<_> = SentOf::read(&bytes).collect();
        assert_eq!(read, [Ok(sent()), Ok(plain)]);
        for cut in 1..bytes.len() {
            let whole = SentOf::read(&bytes[..cut]).all(|one| one.is_ok());
            assert_eq!(whole, hex[..2 * cut].len() == 2 * 26, "{cut}");
        }
    }
}
