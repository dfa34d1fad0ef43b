//! A failed attempt of a stored delivery.

use super::fields::{Fields, PutField};
use super::{RowError, Table};
use crate::ids::{DeliveryId, TableId};
use crate::store::How;

/// The most errors in the chain of a failed attempt, and the bytes of each.
pub(crate) const ERRORS_MAX: usize = 8;
pub(crate) const ERROR_BYTES_MAX: usize = 1_024;

/// Failed attempts by delivery and place in its history, from 0.
#[derive(Debug)]
pub(crate) struct FailureTable;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FailureKey {
    pub(crate) delivery: DeliveryId,
    pub(crate) nth: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailureRow<'a> {
    /// Milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// The attempt; the first is 1.
    pub(crate) attempt: u32,
    pub(crate) how: How,
    /// The error with its chain of sources, the outermost first.
    pub(crate) errors: Vec<&'a str>,
}

const HOW: [How; 5] = [How::Failed, How::FailedForGood, How::Panicked, How::TimedOut, How::Killed];

fn how_number(how: How) -> u8 {
    match how {
        How::Failed => 0,
        How::FailedForGood => 1,
        How::Panicked => 2,
        How::TimedOut => 3,
        How::Killed => 4,
    }
}

impl Table for FailureTable {
    const ID: TableId = TableId(9);
    const NAME: &'static str = "failure";
    const VERSION: u8 = 1;
    const KEY_BYTES_MAX: usize = 12;
    const ROW_BYTES_MAX: usize = 32 + ERRORS_MAX * (ERROR_BYTES_MAX + 2);
    type Key<'a> = FailureKey;
    type Row<'a> = FailureRow<'a>;

    fn put_key(key: &FailureKey, out: &mut Vec<u8>) {
        out.key_u64(key.delivery.0);
        out.key_u32(key.nth);
    }

    fn read_key(bytes: &[u8]) -> Result<FailureKey, RowError> {
        let mut fields = Fields::of(bytes);
        let delivery = DeliveryId(fields.key_u64()?);
        let key = FailureKey { delivery, nth: fields.key_u32()? };
        fields.end().map(|()| key)
    }

    fn put_row(row: &FailureRow<'_>, out: &mut Vec<u8>) {
        out.number(row.at_ms);
        out.number(row.attempt.into());
        out.push(how_number(row.how));
        row.errors.iter().for_each(|error| out.blob(error.as_bytes()));
    }

    fn read_row(_: u8, bytes: &[u8]) -> Result<FailureRow<'_>, RowError> {
        let mut fields = Fields::of(bytes);
        let (at_ms, attempt) = (fields.number()?, fields.number_u32("an attempt")?);
        let number = fields.byte()?;
        let how = HOW.into_iter().find(|how| how_number(*how) == number);
        let unknown = RowError::Value { field: "the end of an attempt", value: number.into() };
        let mut row = FailureRow { at_ms, attempt, how: how.ok_or(unknown)?, errors: Vec::new() };
        while !fields.is_empty() {
            row.errors.push(fields.text()?);
        }
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::fixture;

    #[test]
    fn its_bytes_stay() {
        let key = FailureKey { delivery: DeliveryId(6), nth: 1 };
        for (how, hex) in HOW.into_iter().zip(["00", "01", "02", "03", "04"]) {
            let row = FailureRow { at_ms: 300, attempt: 2, how, errors: vec!["no", ""] };
            let (key_hex, row_hex) = ("000000000000000600000001", format!("ac0202{hex}026e6f00"));
            fixture::holds::<FailureTable>(key, row, key_hex, &row_hex);
        }
    }
}
