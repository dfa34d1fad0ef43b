//! The message of a stored delivery.

use super::fields::{Fields, PutField};
use super::pending::HANDLERS_MAX;
use super::{RowError, Table};
use crate::ids::{DeliveryId, NameNo, TableId};

/// The largest message that is stored for a delivery, with its key and headers.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1_300_000;

/// Messages by the number of their delivery. A row is written once, with the delivery.
#[derive(Debug)]
pub(crate) struct MessageTable;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageRow<'a> {
    pub(crate) topic: NameNo,
    pub(crate) type_name: NameNo,
    pub(crate) context: Context,
    pub(crate) digest: Option<u128>,
    /// The handlers that its position had when it came.
    pub(crate) handlers: Vec<NameNo>,
    pub(crate) headers: &'a [u8],
    pub(crate) body: &'a [u8],
}

/// A message's reference to those before it in its stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Context {
    /// The key's previous sequence, where the sender remembers it.
    pub(crate) prev: Option<u64>,
    /// The highest sequence whose key the sender may have forgotten.
    pub(crate) horizon: u64,
    /// The first sequence that was open at the sender.
    pub(crate) floor: u64,
}

impl Table for MessageTable {
    const ID: TableId = TableId(8);
    const NAME: &'static str = "message";
    const VERSION: u8 = 1;
    const KEY_BYTES_MAX: usize = 8;
    const ROW_BYTES_MAX: usize = 128 + 5 * HANDLERS_MAX + MESSAGE_BYTES_MAX;
    type Key<'a> = DeliveryId;
    type Row<'a> = MessageRow<'a>;

    fn put_key(key: &DeliveryId, out: &mut Vec<u8>) {
        out.key_u64(key.0);
    }

    fn read_key(bytes: &[u8]) -> Result<DeliveryId, RowError> {
        Fields::only_u64(bytes).map(DeliveryId)
    }

    fn put_row(row: &MessageRow<'_>, out: &mut Vec<u8>) {
        out.number(row.topic.0.into());
        out.number(row.type_name.0.into());
        // No sequence is 0.
        out.number(row.context.prev.unwrap_or(0));
        out.number(row.context.horizon);
        out.number(row.context.floor);
        out.push(row.digest.is_some().into());
        row.digest.iter().for_each(|digest| out.digest(*digest));
        out.number(row.handlers.len() as u64);
        row.handlers.iter().for_each(|handler| out.number(handler.0.into()));
        out.blob(row.headers);
        out.extend_from_slice(row.body);
    }

    fn read_row(_: u8, bytes: &[u8]) -> Result<MessageRow<'_>, RowError> {
        let mut fields = Fields::of(bytes);
        let (topic, type_name) = (fields.number_u32("a topic")?, fields.number_u32("a type")?);
        let prev = Some(fields.number()?).filter(|prev| *prev != 0);
        let context = Context { prev, horizon: fields.number()?, floor: fields.number()? };
        let digest = fields.flag("a digest")?.then(|| fields.digest()).transpose()?;
        let count = fields.number()?;
        if count > HANDLERS_MAX as u64 {
            return Err(RowError::Value { field: "the number of handlers", value: count });
        }
        let handlers = (0..count).map(|_| Ok(NameNo(fields.number_u32("a handler")?)));
        let handlers = handlers.collect::<Result<_, RowError>>()?;
        let headers = fields.blob()?;
        Ok(MessageRow {
            topic: NameNo(topic),
            type_name: NameNo(type_name),
            context,
            digest,
            handlers,
            headers,
            body: fields.rest(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::fixture;

    #[test]
    fn its_bytes_stay() {
        let row = MessageRow {
            topic: NameNo(1),
            type_name: NameNo(2),
            context: Context { prev: Some(8), horizon: 3, floor: 4 },
            digest: Some(1 << 120),
            handlers: vec![NameNo(5), NameNo(300)],
            headers: b"h",
            body: b"[1]",
        };
        let digest = "00000000000000000000000000000001";
        let hex = format!("0102080304{}{}", format_args!("01{digest}"), "0205ac0201685b315d");
        let holds = |row, hex: &str| {
            fixture::holds::<MessageTable>(DeliveryId(6), row, "0000000000000006", hex);
        };
        holds(row.clone(), &hex);
        let context = Context { prev: None, ..row.context };
        let plain = MessageRow { context, digest: None, headers: b"", handlers: vec![], ..row };
        holds(plain, "01020003040000005b315d");
    }
}
