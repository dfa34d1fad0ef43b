//! A delivery that is stored: one handler's share of one message, which waits, is held, or is a
//! dead letter.

use super::fields::{Fields, PutField};
use super::{RowError, Table};
use crate::ids::{DeliveryId, NameNo, Position, StreamIx, TableId};
use crate::stream::KEY_BYTES_MAX;

/// Stored deliveries by their numbers, which grow: those of a lane go on in that order. The message
/// lies in [`MessageTable`](super::message::MessageTable), the history of the attempts in
/// [`FailureTable`](super::failure::FailureTable).
#[derive(Debug)]
pub(crate) struct DeliveryTable;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeliveryRow<'a> {
    pub(crate) position: Position,
    /// The handler; of a message that no handler takes, its type.
    pub(crate) handler: NameNo,
    /// The message's key.
    pub(crate) key: Option<&'a str>,
    /// Milliseconds since 1970 when it was first stored.
    pub(crate) since_ms: u64,
    pub(crate) wait: StoredWait,
    /// Attempts that failed, since it was stored or replayed.
    pub(crate) attempts: u32,
    /// All failures that its history counts, those that it has forgotten among them.
    pub(crate) failures: u32,
    /// Messages that were sent after it have gone before it.
    pub(crate) late: bool,
}

/// The wait of a stored delivery. Times are milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoredWait {
    /// For those before it in its lane.
    Held,
    /// Its next attempt, and no longer than `longest_ms` after a start.
    Until { due_ms: u64, longest_ms: u64 },
    /// An operator: it is a dead letter, and its lane waits with it.
    Dead { since_ms: u64 },
    /// The same; its lane goes on without it at `due_ms`.
    DeadUntil { since_ms: u64, due_ms: u64 },
    /// The same; its lane has gone on without it.
    DeadSkipped { since_ms: u64 },
    /// A handler: no handler takes its type.
    Unhandled,
}

impl StoredWait {
    /// A dead letter's wait once its lane has gone on without it.
    pub(crate) fn skipped(self) -> Self {
        match self {
            StoredWait::Dead { since_ms } | StoredWait::DeadUntil { since_ms, .. } => {
                StoredWait::DeadSkipped { since_ms }
            }
            other => other,
        }
    }

    fn put(self, out: &mut Vec<u8>) {
        let (kind, times): (u8, &[u64]) = match self {
            StoredWait::Held => (0, &[]),
            StoredWait::Until { due_ms, longest_ms } => (1, &[due_ms, longest_ms]),
            StoredWait::Dead { since_ms } => (2, &[since_ms]),
            StoredWait::DeadUntil { since_ms, due_ms } => (3, &[since_ms, due_ms]),
            StoredWait::DeadSkipped { since_ms } => (4, &[since_ms]),
            StoredWait::Unhandled => (5, &[]),
        };
        out.push(kind);
        times.iter().for_each(|time| out.number(*time));
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, RowError> {
        Ok(match fields.byte()? {
            0 => StoredWait::Held,
            1 => StoredWait::Until { due_ms: fields.number()?, longest_ms: fields.number()? },
            2 => StoredWait::Dead { since_ms: fields.number()? },
            3 => StoredWait::DeadUntil { since_ms: fields.number()?, due_ms: fields.number()? },
            4 => StoredWait::DeadSkipped { since_ms: fields.number()? },
            5 => StoredWait::Unhandled,
            other => {
                let field = "what a delivery waits for";
                return Err(RowError::Value { field, value: other.into() });
            }
        })
    }
}

impl Table for DeliveryTable {
    const ID: TableId = TableId(7);
    const NAME: &'static str = "delivery";
    const VERSION: u8 = 1;
    const KEY_BYTES_MAX: usize = 8;
    const ROW_BYTES_MAX: usize = 128 + KEY_BYTES_MAX;
    type Key<'a> = DeliveryId;
    type Row<'a> = DeliveryRow<'a>;

    fn put_key(key: &DeliveryId, out: &mut Vec<u8>) {
        out.key_u64(key.0);
    }

    fn read_key(bytes: &[u8]) -> Result<DeliveryId, RowError> {
        Fields::only_u64(bytes).map(DeliveryId)
    }

    fn put_row(row: &DeliveryRow<'_>, out: &mut Vec<u8>) {
        out.number(row.position.stream.0.into());
        out.number(row.position.sequence);
        out.number(row.handler.0.into());
        out.number(row.since_ms);
        row.wait.put(out);
        out.number(row.attempts.into());
        out.number(row.failures.into());
        out.push(row.late.into());
        // The last field: a key of no bytes is a key too.
        if let Some(key) = row.key {
            out.blob(key.as_bytes());
        }
    }

    fn read_row(_: u8, bytes: &[u8]) -> Result<DeliveryRow<'_>, RowError> {
        let mut fields = Fields::of(bytes);
        let stream = StreamIx(fields.number_u32("a stream")?);
        let mut row = DeliveryRow {
            position: Position { stream, sequence: fields.number()? },
            handler: NameNo(fields.number_u32("a handler")?),
            key: None,
            since_ms: fields.number()?,
            wait: StoredWait::read(&mut fields)?,
            attempts: fields.number_u32("attempts")?,
            failures: fields.number_u32("failures")?,
            late: fields.flag("late")?,
        };
        if !fields.is_empty() {
            row.key = Some(fields.text()?);
        }
        fields.end().map(|()| row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::fixture;

    #[test]
    fn its_bytes_stay() {
        let row = DeliveryRow {
            position: Position { stream: StreamIx(513), sequence: 9 },
            handler: NameNo(4),
            key: Some("ada"),
            since_ms: 300,
            wait: StoredWait::Held,
            attempts: 1,
            failures: 2,
            late: true,
        };
        let holds = |row, hex: &str| {
            fixture::holds::<DeliveryTable>(DeliveryId(6), row, "0000000000000006", hex);
        };
        holds(row, "81040904ac020001020103616461");
        let waits = [
            (StoredWait::Until { due_ms: 8, longest_ms: 300 }, "0108ac02"),
            (StoredWait::Dead { since_ms: 7 }, "0207"),
            (StoredWait::DeadUntil { since_ms: 7, due_ms: 8 }, "030708"),
            (StoredWait::DeadSkipped { since_ms: 7 }, "0407"),
            (StoredWait::Unhandled, "05"),
        ];
        for (wait, hex) in waits {
            holds(DeliveryRow { wait, ..row }, &format!("81040904ac02{hex}01020103616461"));
        }
        holds(DeliveryRow { key: None, late: false, ..row }, "81040904ac0200010200");
        holds(DeliveryRow { key: Some(""), ..row }, "81040904ac020001020100");
    }
}
