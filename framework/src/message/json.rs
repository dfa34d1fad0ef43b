//! JSON of messages and states, written so that an unchanged value costs no allocation.

use std::cell::Cell;

use bytes::Bytes;
use serde::Serialize;

/// What one thread keeps of its buffer between two values.
const SCRATCH_BYTES_MAX: usize = 64 * 1024;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The JSON of a value.
pub(crate) fn encode<T: Serialize>(value: &T) -> serde_json::Result<Bytes> {
    written(value, Bytes::copy_from_slice)
}

/// The JSON of a value, unless it is what it was before.
pub(crate) fn encode_changed<T: Serialize>(
    value: &T,
    before: &[u8],
) -> serde_json::Result<Option<Bytes>> {
    written(value, |json| (json != before).then(|| Bytes::copy_from_slice(json)))
}

/// Writes into the thread's buffer and shows it. The buffer is taken out meanwhile, so a
/// `Serialize` that comes here again merely gets a new one.
fn written<T: Serialize, R>(value: &T, read: impl FnOnce(&[u8]) -> R) -> serde_json::Result<R> {
    let mut scratch = SCRATCH.take();
    scratch.clear();
    let result = serde_json::to_writer(&mut scratch, value).map(|()| read(&scratch));
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
}
