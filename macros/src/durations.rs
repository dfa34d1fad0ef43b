//! Durations as text: `"200ms"`, `"1m"`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::ParseStream;
use syn::{Error, LitStr, Result};

const DURATION: &str = "a duration is a whole number and its unit, `ms`, `s`, `m`, `h` or `d`, as \
     in \"200ms\" or \"5s\"";

/// A duration where it is written.
pub(crate) struct Duration {
    pub(crate) literal: LitStr,
    pub(crate) ms: u64,
}

impl Duration {
    pub(crate) fn tokens(&self) -> TokenStream {
        let ms = self.ms;
        quote!(::core::time::Duration::from_millis(#ms))
    }
}

/// A duration.
pub(crate) fn duration(input: ParseStream<'_>) -> Result<Duration> {
    let literal: LitStr = input.parse().map_err(|error| Error::new(error.span(), DURATION))?;
    match millis(&literal.value()) {
        Some(ms) => Ok(Duration { literal, ms }),
        None => Err(Error::new(literal.span(), DURATION)),
    }
}

/// A duration that is not zero.
pub(crate) fn positive(input: ParseStream<'_>, what: &str) -> Result<Duration> {
    let duration = duration(input)?;
    if duration.ms == 0 {
        return Err(Error::new(duration.literal.span(), format!("{what} is more than zero")));
    }
    Ok(duration)
}

fn millis(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::millis;

    #[test]
    fn a_duration_is_a_whole_number_with_a_unit() {
        let read = ["0s", "200ms", "5s", "1m", "2h", "7d"].map(millis);
        assert_eq!(read, [0, 200, 5_000, 60_000, 7_200_000, 604_800_000].map(Some),);
        for wrong in ["", "5", "s", "1.5s", "-1s", "5 s", "5S", "1m30s", "99999999999999999d"] {
            assert_eq!(millis(wrong), None, "{wrong:?}");
        }
    }
}
