//! The log line of a failed attempt: it fits a terminal, and its key comes first.

use crate::stream::Position;

/// Columns of a line as `tracing-subscriber` prints it, time, level and target among them.
const COLUMNS: usize = 160;

/// What stands before the target: `2026-01-01T00:00:00.000000Z ERROR `.
const HEAD: usize = 34;

/// Columns that an error has at least, and so much is left of a key that leaves it less.
const ERROR_MIN: usize = 24;
const KEY_MIN: usize = 16;

/// Columns of an error beside a key that is cut as well.
const ERROR_LEAST: usize = 8;

/// Key and error of a failed attempt, cut so that the line fits. Both are whole in the store.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) key: Option<String>,
    pub(super) error: String,
}

/// Cuts them to what `rest` leaves: all of the line behind the level, with `key` and `error` empty.
pub(super) fn cut(rest: &str, key: Option<&str>, error: &str) -> Cut {
    let left = COLUMNS.saturating_sub(HEAD + rest.chars().count());
    let key = key.map(|key| shortened(key, left.saturating_sub(ERROR_MIN).max(KEY_MIN)));
    let left = left.saturating_sub(key.as_deref().map_or(0, columns));
    Cut { key, error: shortened(error, left.max(ERROR_LEAST)) }
}

/// Whether such a line has room for what a person needs of key and error.
pub(super) fn has_room(rest: &str, key: Option<&str>, error: &str) -> bool {
    let left = COLUMNS.saturating_sub(HEAD + rest.chars().count());
    let (key, error) = (key.map_or(0, columns), columns(error));
    key + error <= left || key.min(KEY_MIN) + error.min(ERROR_MIN) <= left
}

/// The end of a position: topic, slot or partition, and number there.
pub(super) fn end_of(position: &Position) -> String {
    let position = position.to_string();
    let mut parts = position.rsplitn(3, '/');
    let (last, before) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    format!("…/{before}/{last}")
}

/// Columns of a key among other text.
const KEY_MAX: usize = 40;

/// What a delivery is about, behind its handler: its key, or the end of its position.
pub(super) fn about(key: Option<&str>, position: &Position) -> String {
    match key {
        Some(key) => format!("for key {:?}", shortened(key, KEY_MAX)),
        None => format!("at {}", end_of(position)),
    }
}

/// The text, or its beginning and `…`, so that it has no more columns than that.
fn shortened(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(1);
    let fits = |char: &char| {
        let needs = char.escape_debug().count();
        let fits = needs <= left;
        left = left.saturating_sub(needs);
        fits
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// Columns of a text within quotes, as it is printed.
fn columns(text: &str) -> usize {
    text.chars().map(|char| char.escape_debug().count()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn width(rest: &str, cut: &Cut) -> usize {
        let key = cut.key.as_deref().map_or(0, columns);
        HEAD + rest.chars().count() + key + columns(&cut.error)
    }

    #[test]
    fn what_is_too_long_is_cut_and_the_rest_stays() {
        let rest = "endwise::retry: failed key=\"\" handler=\"reserve_stock\" attempt=3 error=\"\"";
        let whole = cut(rest, Some("order-7"), "the bank is busy");
        assert_eq!((whole.key.as_deref(), &*whole.error), (Some("order-7"), "the bank is busy"));
        let long = "no answer of \"bank\"\n".repeat(50);
        for key in
            [None, Some("order-7"), Some("0192f0c1-7a3e-7b1c-9d2e-1f0a5b6c7d8e"), Some(&long)]
        {
            let cut = cut(rest, key, &long);
            assert_eq!(width(rest, &cut), COLUMNS, "{cut:?}");
            assert!(cut.error.starts_with("no answer of") && cut.error.ends_with('…'), "{cut:?}");
        }
    }
}
