//! What is written down of an error.

use std::error::Error;

use crate::error::is_mark;
use crate::state::InvalidState;

/// How many errors of a chain are written down, and how many bytes of each.
const ERRORS_MAX: usize = 8;
const ERROR_BYTES_MAX: usize = 1_024;

/// An error with its chain of sources, as it is written down; that it is marked permanent is said
/// by how the attempt ended, and the handler and the key stand beside it.
pub(super) fn errors(error: &(dyn Error + 'static)) -> Vec<String> {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    chain
        .filter(|error| !is_mark(*error) && !error.is::<InvalidState>())
        .take(ERRORS_MAX)
        .map(|error| cut(error.to_string()))
        .collect()
}

/// What is said of a delivery that is given up because the process died of it.
pub(super) fn killed(deaths: u32) -> String {
    let times = if deaths == 1 { "time" } else { "times" };
    format!("killed the process {deaths} {times} while it ran alone")
}

/// The text, or as much of it as is written down.
pub(super) fn cut(mut text: String) -> String {
    if text.len() > ERROR_BYTES_MAX {
        let end = (0..=ERROR_BYTES_MAX - 3).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StateError;

    #[test]
    fn a_long_error_is_cut_between_characters() {
        let text = cut("ü".repeat(2_000));
        assert!(text.len() <= ERROR_BYTES_MAX && text.ends_with("ü…"));
        assert_eq!(cut("short".into()), "short");
    }

    #[test]
    fn what_stands_beside_an_error_is_not_said_again() {
        let source = StateError::TooLarge { state: "ledger", bytes: 2 << 20 };
        let (handler, key) = ("pay".to_owned(), "ada".to_owned());
        let said = errors(&InvalidState { handler, key, source });
        assert!(said.len() == 1 && said[0].starts_with("state `ledger` has"), "{said:?}");
    }
}
