//! How times, sizes and foreign text are written for a person.

use std::str::FromStr;

use jiff::Timestamp;

/// A moment that was said: a time, or how long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    At(u64),
    Ago(u64),
}

#[derive(Debug, thiserror::Error)]
#[error("neither a time (2026-01-31T12:00:00Z) nor how long ago (90s, 30m, 2h, 7d)")]
pub(super) struct NoMoment;

impl Moment {
    /// Milliseconds since 1970.
    pub(super) fn ms(self, now_ms: u64) -> u64 {
        match self {
            Moment::At(ms) => ms,
            Moment::Ago(ms) => now_ms.saturating_sub(ms),
        }
    }
}

impl FromStr for Moment {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Self, NoMoment> {
        if let Ok(time) = text.parse::<Timestamp>() {
            return u64::try_from(time.as_millisecond()).map(Moment::At).map_err(|_| NoMoment);
        }
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = UNITS.iter().find(|(unit, _)| text.strip_prefix(digits) == Some(unit));
        let count: Option<u64> = digits.parse().ok();
        let ms = count.zip(unit).and_then(|(count, (_, ms))| count.checked_mul(*ms));
        ms.map(Moment::Ago).ok_or(NoMoment)
    }
}

/// A moment to come that was said: a time, or how long from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct When(Moment);

impl When {
    /// Milliseconds since 1970.
    pub(super) fn ms(self, now_ms: u64) -> u64 {
        match self.0 {
            Moment::At(ms) => ms,
            Moment::Ago(ms) => now_ms.saturating_add(ms),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("neither a time (2026-01-31T12:00:00Z) nor how long from now (90s, 30m, 2h, 7d)")]
pub(super) struct NoWhen;

impl FromStr for When {
    type Err = NoWhen;

    fn from_str(text: &str) -> Result<Self, NoWhen> {
        text.parse().map(When).map_err(|_| NoWhen)
    }
}

/// Units of time, in milliseconds, the longest first.
const UNITS: [(&str, u64); 4] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];

/// A span in its largest unit that is full.
pub(super) fn span(ms: u64) -> String {
    let unit = UNITS.iter().find(|(_, unit)| ms >= *unit);
    unit.map_or_else(|| "0s".to_owned(), |(name, unit)| format!("{}{name}", ms / unit))
}

/// RFC 3339, UTC, in whole seconds.
pub(super) fn time(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1_000).unwrap_or(i64::MAX);
    let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    time.to_string()
}

/// A time, and how far it is from now.
pub(super) fn time_and_age(ms: u64, now_ms: u64) -> String {
    match now_ms.checked_sub(ms) {
        Some(ago) => format!("{} ({} ago)", time(ms), span(ago)),
        None => format!("{} (in {})", time(ms), span(ms.saturating_sub(now_ms))),
    }
}

/// Bytes, in the largest unit that is full.
pub(super) fn bytes(count: u64) -> String {
    match count {
        0..1_024 => format!("{count} B"),
        1_024..1_048_576 => format!("{:.1} KiB", count as f64 / 1_024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", count as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", count as f64 / 1_073_741_824.0),
    }
}

/// A count and what is counted: `1 record`, `2 records`.
pub(super) fn count(count: u64, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// Text from elsewhere on one line: what would move the cursor is written as an escape.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            plain.extend(c.escape_default());
        } else {
            plain.push(c);
        }
    }
    plain
}

/// Control characters, and those that turn the direction of what is read.
fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The same, cut to a width with a mark of it.
pub(super) fn cut(text: &str, width: usize) -> String {
    let plain = plain(text);
    if plain.chars().count() <= width {
        return plain;
    }
    let kept: String = plain.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_so_long_ago() {
        let at = "2026-01-01T00:00:00Z".parse::<Moment>().unwrap();
        assert_eq!(at, Moment::At(1_767_225_600_000));
        assert_eq!("2026-01-01T01:00:00+01:00".parse::<Moment>().unwrap(), at);
        assert_eq!("90m".parse::<Moment>().unwrap().ms(6_000_000), 600_000);
        assert_eq!("7d".parse::<Moment>().unwrap(), Moment::Ago(7 * 86_400_000));
        for bad in ["", "7", "d", "7 d", "7w", "-7d", "yesterday", "99999999999999999999d"] {
            assert!(bad.parse::<Moment>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_moment_to_come_is_a_time_or_so_far() {
        assert_eq!("90m".parse::<When>().unwrap().ms(6_000_000), 11_400_000);
        let at = "2026-01-01T00:00:00Z".parse::<When>().unwrap();
        assert_eq!(at.ms(7), 1_767_225_600_000);
        assert!("soon".parse::<When>().unwrap_err().to_string().contains("from now"));
    }

    #[test]
    fn times_say_how_far_they_are() {
        let now = 1_767_225_600_000;
        assert_eq!(time_and_age(now - 200_000, now), "2025-12-31T23:56:40Z (3m ago)");
        assert_eq!(time_and_age(now + 5_400_999, now), "2026-01-01T01:30:00Z (in 1h)");
        assert_eq!((span(0), span(999), span(90_000_000)), ("0s".into(), "0s".into(), "1d".into()));
        assert_eq!((bytes(1_536), bytes(8 << 30)), ("1.5 KiB".into(), "8.0 GiB".into()));
        assert_eq!(
            (count(1, "record"), count(0, "record")),
            ("1 record".into(), "0 records".into())
        );
    }

    #[test]
    fn foreign_text_moves_no_cursor() {
        assert_eq!(plain("a\u{1b}[31mb\nc\u{202e}"), "a\\u{1b}[31mb\\nc\\u{202e}");
        assert_eq!(cut("häuser", 5), "häus…");
        assert_eq!(cut("haus", 4), "haus");
    }
}
