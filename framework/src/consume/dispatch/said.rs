//! What is written down of an error.

use std::error::Error;

use crate::error::is_mark;

/// How many errors of a chain are written down, and how many bytes of each.
const ERRORS_MAX: usize = 8;
const ERROR_BYTES_MAX: usize = 1_024;

/// An error with its chain of sources, as it is written down; that it is marked permanent is said
/// by how the attempt ended.
pub(super) fn errors(error: &(dyn Error + 'static)) -> Vec<String> {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    chain
        .filter(|error| !is_mark(*error))
        .take(ERRORS_MAX)
        .map(|error| cut(error.to_string()))
        .collect()
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

    #[test]
    fn a_long_error_is_cut_between_characters() {
        let text = cut("ü".repeat(2_000));
        assert!(text.len() <= ERROR_BYTES_MAX && text.ends_with("ü…"));
        assert_eq!(cut("short".into()), "short");
    }
}
