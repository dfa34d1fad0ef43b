//! sled panics on some damaged files (spacejam/sled: `unwrap` in its recovery). Here a panic
//! becomes an error, so that a damaged store is a message at the start and not a crash.
//!
//! This needs `panic = "unwind"`, the default of Cargo's profiles.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::error::BaseError;

/// Runs work on sled; a panic in it becomes [`BaseError::Panicked`].
///
/// What the work touched may be half changed: the caller must not use it again after a panic.
pub(super) fn caught<T>(
    doing: &'static str,
    path: &Path,
    work: impl FnOnce() -> Result<T, BaseError>,
) -> Result<T, BaseError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let message = match payload.downcast::<String>() {
            Ok(message) => *message,
            Err(payload) => payload.downcast::<&str>().map_or_else(
                |_| "a panic without a message".to_owned(),
                |message| (*message).to_owned(),
            ),
        };
        Err(BaseError::Panicked { doing, path: path.to_owned(), message })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_message() {
        let number = 7;
        let literal = caught("reading", Path::new("d"), || -> Result<(), _> { panic!("literal") });
        let formatted =
            caught("reading", Path::new("d"), || -> Result<(), _> { panic!("no {number}") });
        for (result, expected) in [(literal, "literal"), (formatted, "no 7")] {
            match result {
                Err(BaseError::Panicked { message, .. }) => assert_eq!(message, expected),
                other => panic!("{other:?}"),
            }
        }
    }
}
