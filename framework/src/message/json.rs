//! JSON of messages and states, written so that an unchanged value costs no allocation, and only
//! what can be read back.

use std::cell::Cell;

use bytes::Bytes;
use serde::Serialize;

mod path;
mod read_back;
mod strict;

pub use path::Unwritable;
pub(crate) use read_back::{ReadBack, Sampling};

use strict::Mode;

/// What one thread keeps of its buffer between two values.
const SCRATCH_BYTES_MAX: usize = 64 * 1024;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The JSON of a value.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Bytes, Unwritable> {
    written(value, Mode::Strict, Bytes::copy_from_slice)
}

/// The JSON of a value, unless it is what it was before.
pub(crate) fn encode_changed<T: Serialize>(
    value: &T,
    before: &[u8],
) -> Result<Option<Bytes>, Unwritable> {
    written(value, Mode::Strict, |json| (json != before).then(|| Bytes::copy_from_slice(json)))
}

/// The JSON of a value that is compared and never stored: numbers that are not finite stand in it
/// as texts.
pub(crate) fn comparable<T: Serialize>(value: &T) -> Result<Bytes, Unwritable> {
    written(value, Mode::Comparable, Bytes::copy_from_slice)
}

/// What is wrong with JSON that its own type does not read, with the place of what is to blame
/// where that is known.
pub(crate) fn unread<T: Serialize>(value: &T, error: &serde_json::Error) -> Box<str> {
    let text = error.to_string();
    // That error names no place, and its column is the end of what is flattened.
    let is_wide = text.contains("128 is not supported");
    let wide = is_wide.then(|| written(value, Mode::FindWide, |_| ()).err()).flatten();
    wide.map_or(text.into(), |wide| wide.to_string().into())
}

/// Writes into the thread's buffer and shows it. The buffer is taken out meanwhile, so a
/// `Serialize` that comes here again merely gets a new one.
fn written<T: Serialize, R>(
    value: &T,
    mode: Mode,
    read: impl FnOnce(&[u8]) -> R,
) -> Result<R, Unwritable> {
    let mut scratch = SCRATCH.take();
    scratch.clear();
    let result = strict::write(&mut scratch, value, mode).map(|()| read(&scratch));
    if scratch.capacity() <= SCRATCH_BYTES_MAX {
        SCRATCH.set(scratch);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_changed_value_is_given() {
        let before = encode(&vec![1, 2]).unwrap();
        assert_eq!(&before[..], b"[1,2]");
        assert_eq!(encode_changed(&vec![1, 2], &before).unwrap(), None);
        assert_eq!(encode_changed(&vec![1], &before).unwrap().as_deref(), Some(&b"[1]"[..]));
    }

    #[test]
    fn what_is_compared_tells_numbers_apart_that_json_lacks() {
        let texts = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(|x| comparable(&x).unwrap());
        assert_eq!(texts, [&b"\"NaN\""[..], b"\"inf\"", b"\"-inf\""]);
    }
}
