//! Headers: names with values, kept as one flat buffer so that a record costs no map.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

/// The headers of a message, in the order in which they were added.
///
/// Limits: a name has at most 255 bytes, a value at most 65,535; what is longer is not added.
///
/// ```
/// use framework::envelope::Headers;
/// let headers: Headers = [("tenant", "north"), ("trace", "1")].into_iter().collect();
/// assert_eq!(headers.get("tenant"), Some("north"));
/// assert_eq!(headers.get("colour"), None);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Bytes);

impl Headers {
    /// What a header takes in the flat form beside its name and its value.
    pub(crate) const PREFIX_BYTES: usize = 3;

    /// Reads headers back from [`Headers::as_bytes`]; `None` if the bytes are no headers.
    pub fn from_bytes(bytes: Bytes) -> Option<Self> {
        let mut rest: &[u8] = &bytes;
        while !rest.is_empty() {
            rest = split_header(rest)?.2;
        }
        Some(Headers(bytes))
    }

    /// Headers of bytes that [`put_header`] has written.
    pub(crate) fn written(bytes: Bytes) -> Self {
        Headers(bytes)
    }

    /// The flat form: for each header a byte of name length, two of value length (little
    /// endian), the name, the value.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(n, value)| (n == name).then_some(value))
    }

    /// All headers in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest: &[u8] = &self.0;
        std::iter::from_fn(move || {
            let (name, value, after) = split_header(rest)?;
            rest = after;
            Some((name, value))
        })
    }

    /// All headers in order, not yet seen as text.
    pub(crate) fn iter_bytes(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest: &[u8] = &self.0;
        std::iter::from_fn(move || {
            let (name, value, after) = split_bytes(rest)?;
            rest = after;
            Some((name, value))
        })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These headers with more behind them.
    pub fn with<'a>(&self, more: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut flat = BytesMut::with_capacity(self.0.len() + 64);
        flat.extend_from_slice(&self.0);
        for (name, value) in more {
            put_header(&mut flat, name, value);
        }
        Headers(flat.freeze())
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(headers: I) -> Self {
        Headers::default().with(headers)
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Appends one header in its flat form; whether it fitted.
pub(crate) fn put_header(flat: &mut impl BufMut, name: &str, value: &str) -> bool {
    let (Ok(name_len), Ok(value_len)) = (u8::try_from(name.len()), u16::try_from(value.len()))
    else {
        return false;
    };
    flat.put_u8(name_len);
    flat.put_u16_le(value_len);
    flat.put_slice(name.as_bytes());
    flat.put_slice(value.as_bytes());
    true
}

/// Name, value and the rest.
fn split_header(bytes: &[u8]) -> Option<(&str, &str, &[u8])> {
    let (name, value, rest) = split_bytes(bytes)?;
    Some((str::from_utf8(name).ok()?, str::from_utf8(value).ok()?, rest))
}

fn split_bytes(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (&[name_len, low, high], rest) = bytes.split_first_chunk::<3>()?;
    let (name, rest) = rest.split_at_checked(name_len.into())?;
    let (value, rest) = rest.split_at_checked(u16::from_le_bytes([low, high]).into())?;
    Some((name, value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_survive_their_bytes() {
        let headers: Headers = [("a", "1"), ("b", ""), ("a", "zwei")].into_iter().collect();
        let read = Headers::from_bytes(headers.as_bytes().clone()).unwrap();
        assert_eq!(read.iter().collect::<Vec<_>>(), [("a", "1"), ("b", ""), ("a", "zwei")]);
        let cut = headers.as_bytes().slice(..headers.as_bytes().len() - 1);
        assert!(Headers::from_bytes(cut).is_none(), "a cut buffer is no headers");
    }
}
