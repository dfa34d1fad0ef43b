//! Values: as they are written, and as they are meant.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::secret::Secret;

/// A value as it was found.
#[derive(Clone, Copy)]
pub(super) enum Found<'a> {
    /// In a file.
    Toml(&'a DeValue<'a>),
    /// In a variable, or shown.
    Text(&'a OsStr),
}

/// What would be allowed instead.
pub(super) struct Wrong(pub(super) String);

/// Sizes, the largest unit first.
const SIZES: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Times in milliseconds, the largest unit first.
const TIMES: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl<'a> Found<'a> {
    pub(super) fn text(self) -> Option<&'a str> {
        match self {
            Found::Toml(value) => value.as_str(),
            Found::Text(text) => text.to_str(),
        }
    }

    /// It as a plain number.
    fn number(self) -> Option<u64> {
        match self {
            Found::Toml(DeValue::Integer(number)) => {
                u64::from_str_radix(number.as_str(), number.radix()).ok()
            }
            Found::Toml(_) => None,
            Found::Text(text) => text.to_str()?.trim().replace('_', "").parse().ok(),
        }
    }

    /// It as a number with a unit.
    fn measured(self, units: &[(&str, u64)]) -> Option<u64> {
        let text = self.text()?.trim();
        let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
        let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
        digits.parse::<u64>().ok()?.checked_mul(*factor)
    }
}

/// Numbers that may be.
#[derive(Clone, Copy)]
pub(super) struct Span(pub(super) u64, pub(super) u64);

impl Span {
    fn take<T: TryFrom<u64>>(self, number: Option<u64>) -> Option<T> {
        let within = number.filter(|number| (self.0..=self.1).contains(number));
        T::try_from(within?).ok()
    }
}

/// A whole number.
pub(super) fn count<T: TryFrom<u64>>(found: Found<'_>, span: Span) -> Result<T, Wrong> {
    let allowed = || Wrong(format!("it is a whole number from {} to {}", span.0, span.1));
    span.take(found.number()).ok_or_else(allowed)
}

/// A size.
pub(super) fn size<T: TryFrom<u64>>(found: Found<'_>, span: Span) -> Result<T, Wrong> {
    let (min, max) = (show(span.0, &SIZES), show(span.1, &SIZES));
    let allowed = || {
        Wrong(format!(
            "it is a number of bytes, or a size such as \"64MiB\" (B, KiB, MiB, GiB, TiB), from {min} to \
             {max}"
        ))
    };
    span.take(found.number().or_else(|| found.measured(&SIZES))).ok_or_else(allowed)
}

/// A time, which `span` bounds in milliseconds.
pub(super) fn time(found: Found<'_>, span: Span) -> Result<Duration, Wrong> {
    let (min, max) = (show(span.0, &TIMES), show(span.1, &TIMES));
    let allowed =
        || Wrong(format!("it is a time such as \"30s\" (ms, s, m, h, d), from {min} to {max}"));
    span.take(found.measured(&TIMES)).map(Duration::from_millis).ok_or_else(allowed)
}

/// A path.
pub(super) fn path(found: Found<'_>) -> Result<PathBuf, Wrong> {
    let path = match found {
        Found::Toml(value) => value.as_str().map(PathBuf::from),
        Found::Text(text) => Some(PathBuf::from(text)),
    };
    path.filter(|path| !path.as_os_str().is_empty()).ok_or_else(|| Wrong("it is a path".into()))
}

/// A URL of one of the schemes that this build has.
pub(super) fn url(found: Found<'_>) -> Result<Secret, Wrong> {
    let url = found.text().filter(|url| SCHEMES.contains(url)).map(Secret::new);
    let known = || SCHEMES.iter().map(|scheme| format!("{scheme:?}")).collect::<Vec<_>>();
    let allowed = || Wrong(format!("this build knows {} only", known().join(", ")));
    url.ok_or_else(allowed)
}

const SCHEMES: &[&str] = &["embedded"];

/// A number with the largest unit that divides it.
fn show(number: u64, units: &[(&str, u64)]) -> String {
    let divides = |(_, factor): &&(&str, u64)| number >= *factor && number.is_multiple_of(*factor);
    match units.iter().find(divides).or(units.last()) {
        Some((unit, factor)) => format!("{}{unit}", number / factor),
        None => number.to_string(),
    }
}

pub(super) fn show_size(bytes: impl TryInto<u64>) -> String {
    show(bytes.try_into().unwrap_or(u64::MAX), &SIZES)
}

pub(super) fn show_time(time: Duration) -> String {
    show(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), &TIMES)
}
