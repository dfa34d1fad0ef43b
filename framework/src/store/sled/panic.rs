//! sled panics on some damaged files (spacejam/sled: `unwrap` in its recovery). Here a panic
//! becomes an error, so that a damaged store is a message at the start and not a crash.
//!
//! This needs `panic = "unwind"`, the default of Cargo's profiles. What is caught here is not
//! printed as a panic, for it is told as an error: the process's panic hook is put behind one that
//! leaves out what a thread is about to catch, and hands on all else.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Once;

use super::error::BaseError;

/// Runs work on sled; a panic in it becomes [`BaseError::Panicked`].
///
/// What the work touched may be half changed: the caller must not use it again after a panic.
pub(super) fn caught<T>(
    doing: &'static str,
    path: &Path,
    work: impl FnOnce() -> Result<T, BaseError>,
) -> Result<T, BaseError> {
    leave_out_what_is_caught();
    let outer = IS_CAUGHT.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    IS_CAUGHT.set(outer);
    done.unwrap_or_else(|payload| {
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

thread_local! {
    /// Whether this thread catches its panics.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Puts the hook in place, once.
fn leave_out_what_is_caught() {
    static ONCE: Once = Once::new();
    // A thread that panics may not change the hook.
    if !std::thread::panicking() {
        ONCE.call_once(|| {
            let shown = panic::take_hook();
            panic::set_hook(Box::new(move |panicked| {
                if !IS_CAUGHT.get() {
                    shown(panicked);
                }
            }));
        });
    }
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
