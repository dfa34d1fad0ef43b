//! The form of a row's value, in memory and behind it: the version of the form, then what postcard
//! writes.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version of every row's form. Versions are never reused.
pub(super) const FORM: u8 = 1;

/// A row's value is not what this version of endwise writes.
#[derive(Debug, thiserror::Error)]
pub(super) enum FormError {
    #[error(
        "a stored row has a form that this version of endwise does not know: use the version that \
         wrote it"
    )]
    Unknown,
    #[error("a stored row cannot be read: {0}; restore a backup")]
    Value(#[from] postcard::Error),
}

/// The value's stored form.
pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_extend(value, vec![FORM])
}

/// The same, at its exact size: for rows that stay in memory.
pub(super) fn encode_exact(value: &impl Serialize) -> Bytes {
    // postcard fails for maps and texts of unknown length only, and rows have none. An empty
    // value would be no known form, which whoever reads it is told.
    Bytes::from(encode(value).unwrap_or_default().into_boxed_slice())
}

/// Reads back what [`encode`] has made.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FormError> {
    match bytes.split_first() {
        Some((&FORM, rest)) => Ok(postcard::from_bytes(rest)?),
        _ => Err(FormError::Unknown),
    }
}
