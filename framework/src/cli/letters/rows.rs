//! Lists, for 80 columns.

use super::super::print::{DIM, styled};
use super::super::table::{Column, Side, Table};
use super::super::words::{bytes, cut, span, time};
use crate::dead_letters::{DeadLetter, InvalidEntry, UnhandledEntry};
use crate::store::How;

/// What stands below a row: indented, and cut to 80 columns.
fn below(text: &str) -> Option<String> {
    Some(format!("        {}", styled(DIM, &cut(text, 72))))
}

const fn column(head: &'static str, width_max: usize, side: Side) -> Column {
    Column { head, width_max, side }
}

/// Dead letters, the last error below each.
pub(super) fn letters(letters: &[DeadLetter], now_ms: u64) -> Vec<String> {
    let mut table = Table::new([
        column("NUMBER", 8, Side::Right),
        column("HANDLER", 16, Side::Left),
        column("KEY", 14, Side::Left),
        column("GIVEN UP", 20, Side::Left),
        column("AGE", 5, Side::Right),
        column("HELD", 6, Side::Right),
    ]);
    for letter in letters {
        let how = letter.how.map(|how| how.to_string()).unwrap_or_default();
        let tries = if letter.attempts == 1 { "1 attempt" } else { "attempts" };
        let tries = match letter.attempts {
            1 => tries.to_owned(),
            count => format!("{count} {tries}"),
        };
        table.row(
            [
                letter.number.to_string(),
                letter.handler.to_string(),
                letter.key.as_deref().unwrap_or("").to_owned(),
                time(letter.dead_since_ms),
                span(now_ms.saturating_sub(letter.dead_since_ms)),
                letter.followers.to_string(),
            ],
            below(&match letter.how {
                // It says how often.
                Some(How::Killed) => letter.error.clone(),
                _ => format!("{how} after {tries}: {}", letter.error),
            }),
        );
    }
    table.lines()
}

/// Records that are no message, what is wrong below each.
pub(super) fn invalid(entries: &[InvalidEntry], now_ms: u64) -> Vec<String> {
    let mut table = Table::new([
        column("NUMBER", 8, Side::Right),
        column("CAME", 20, Side::Left),
        column("AGE", 5, Side::Right),
        column("SIZE", 10, Side::Right),
        column("RECORD", 28, Side::Left),
    ]);
    for entry in entries {
        table.row(
            [
                entry.number.to_string(),
                time(entry.at_ms),
                span(now_ms.saturating_sub(entry.at_ms)),
                bytes(entry.bytes),
                entry.record.clone(),
            ],
            below(&entry.reason),
        );
    }
    table.lines()
}

/// Messages that no handler takes, the position below each.
pub(super) fn unhandled(entries: &[UnhandledEntry], now_ms: u64) -> Vec<String> {
    let mut table = Table::new([
        column("NUMBER", 8, Side::Right),
        column("TYPE", 16, Side::Left),
        column("TOPIC", 14, Side::Left),
        column("KEY", 14, Side::Left),
        column("AGE", 5, Side::Right),
        column("SIZE", 10, Side::Right),
    ]);
    for entry in entries {
        table.row(
            [
                entry.number.to_string(),
                entry.type_name.to_string(),
                entry.topic.to_string(),
                entry.key.as_deref().unwrap_or("").to_owned(),
                span(now_ms.saturating_sub(entry.at_ms)),
                bytes(entry.bytes),
            ],
            below(&entry.position),
        );
    }
    table.lines()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_long_things_fits_80_columns() {
        let long = "x".repeat(200);
        let letter = DeadLetter {
            number: 12_345_678,
            handler: long.as_str().into(),
            key: Some(long.as_str().into()),
            topic: "t".into(),
            type_name: "T".into(),
            position: long.clone(),
            since_ms: 0,
            dead_since_ms: 1_767_225_600_000,
            skip_ms: None,
            attempts: 10,
            how: Some(How::TimedOut),
            error: long.clone(),
            followers: 123_456,
        };
        let entry = InvalidEntry {
            number: 12_345_678,
            at_ms: 1_767_225_600_000,
            record: long.clone(),
            reason: long,
            key: None,
            bytes: 1_048_575,
        };
        let long = "x".repeat(200);
        let message = UnhandledEntry {
            number: 12_345_678,
            at_ms: 1_767_225_600_000,
            topic: long.as_str().into(),
            type_name: long.as_str().into(),
            key: Some(long.as_str().into()),
            position: long,
            bytes: 1_048_575,
        };
        let now_ms = 1_767_225_900_000;
        let lists =
            [letters(&[letter], now_ms), invalid(&[entry], now_ms), unhandled(&[message], now_ms)];
        for line in lists.iter().flatten() {
            let plain = anstream::adapter::strip_str(line).to_string();
            assert!(plain.chars().count() <= 80, "{plain}");
        }
    }
}
