//! Cron: the times that an expression names.

use std::sync::Arc;

use croner::Cron;
use croner::parser::{CronParser, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// The times of an expression, in milliseconds since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Times(Arc<Cron>);

const FIELDS: [&str; 6] = ["second", "minute", "hour", "day of month", "month", "day of week"];

impl Times {
    /// Reads an expression; otherwise what is wrong with it, and where.
    pub(crate) fn parse(expression: &str) -> Result<Self, String> {
        match parser().parse(expression) {
            Ok(cron) => Ok(Times(Arc::new(cron))),
            Err(error) => Err(wrong(expression, &error.to_string())),
        }
    }

    /// The first time after that one.
    pub(crate) fn after(&self, ms: u64) -> Option<u64> {
        millis(&self.0.find_next_occurrence(&zoned(ms)?, false).ok()?)
    }

    /// The last time up to that one.
    pub(crate) fn up_to(&self, ms: u64) -> Option<u64> {
        millis(&self.0.find_previous_occurrence(&zoned(ms)?, true).ok()?)
    }
}

fn parser() -> CronParser {
    CronParser::builder().year(Year::Disallowed).build()
}

/// What is wrong with an expression: the first field that is wrong for itself, if there is one.
fn wrong(expression: &str, why: &str) -> String {
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let names = match fields.len() {
        5 => FIELDS.get(1..).unwrap_or_default(),
        6 => &FIELDS,
        count => {
            return format!(
                "{expression:?} has {count} fields, and a cron expression has five (minute, hour, \
                 day of month, month, day of week) or six, with the second in front"
            );
        }
    };
    for (at, (field, name)) in fields.iter().zip(names).enumerate() {
        let mut alone = vec!["*"; fields.len()];
        if let Some(place) = alone.get_mut(at) {
            *place = field;
        }
        if let Err(error) = parser().parse(&alone.join(" ")) {
            return format!("in {expression:?}, the {name} cannot be {field:?}: {error}");
        }
    }
    format!("{expression:?}: {why}")
}

fn zoned(ms: u64) -> Option<Zoned> {
    let timestamp = Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?;
    Some(timestamp.to_zoned(TimeZone::UTC))
}

fn millis(time: &Zoned) -> Option<u64> {
    u64::try_from(time.timestamp().as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> u64 {
        u64::try_from(text.parse::<Timestamp>().unwrap().as_millisecond()).unwrap()
    }

    #[test]
    fn times_are_found_on_both_sides() {
        let nightly = Times::parse("0 3 * * *").unwrap();
        assert_eq!(nightly.after(ms("2026-02-27T03:00:00Z")), Some(ms("2026-02-28T03:00:00Z")));
        assert_eq!(nightly.after(ms("2026-02-28T02:59:59.999Z")), Some(ms("2026-02-28T03:00:00Z")));
        assert_eq!(nightly.after(ms("2026-02-28T03:00:00.001Z")), Some(ms("2026-03-01T03:00:00Z")));
        assert_eq!(nightly.up_to(ms("2026-03-01T03:00:00.500Z")), Some(ms("2026-03-01T03:00:00Z")));
        assert_eq!(nightly.up_to(ms("2026-03-01T02:59:59.500Z")), Some(ms("2026-02-28T03:00:00Z")));
        let seconds = Times::parse("*/10 * * * * *").unwrap();
        assert_eq!(seconds.after(ms("2026-01-01T00:00:00Z")), Some(ms("2026-01-01T00:00:10Z")));
        let weekdays = Times::parse("30 8 * * MON-FRI").unwrap();
        assert_eq!(weekdays.after(ms("2026-01-02T09:00:00Z")), Some(ms("2026-01-05T08:30:00Z")));
        assert_eq!(Times::parse("0 0 30 2 *").unwrap().after(0), None);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (expression, says) in [
            ("", "has 0 fields"),
            ("0 3 * *", "has 4 fields"),
            ("0 0 3 * * * 2030", "has 7 fields"),
            ("0 25 * * *", "the hour cannot be \"25\""),
            ("61 * * * *", "the minute cannot be \"61\""),
            ("0 61 * * * *", "the minute cannot be \"61\""),
            ("0 3 * JANUARY *", "the month cannot be \"JANUARY\""),
            ("0 3 * * nonsense", "the day of week cannot be \"nonsense\""),
        ] {
            let error = Times::parse(expression).unwrap_err();
            assert!(error.contains(says), "{expression}: {error}");
        }
    }
}
