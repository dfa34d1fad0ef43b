//! A message as its bytes: key, headers, body.

use bytes::Bytes;

/// The bytes of one message, and where its parts are in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Packed {
    bytes: Bytes,
    /// The end of the key; `None` if the message has none.
    key_end: Option<u32>,
    headers_end: u32,
}

impl Packed {
    /// Puts parts one behind the other. Their limits are far below 4 GiB.
    pub(crate) fn of(key: Option<&str>, headers: &[u8], body: &[u8]) -> Self {
        let key_bytes = key.unwrap_or_default().as_bytes();
        let bytes = Bytes::from([key_bytes, headers, body].concat());
        let at = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        Packed {
            key_end: key.map(|key| at(key.len())),
            headers_end: at(key_bytes.len() + headers.len()),
            bytes,
        }
    }

    pub(crate) fn key(&self) -> Option<&str> {
        let key = self.bytes.get(..self.key_end? as usize)?;
        // Only a text was put there.
        std::str::from_utf8(key).ok()
    }

    pub(crate) fn headers(&self) -> &[u8] {
        let start = self.key_end.unwrap_or(0) as usize;
        self.bytes.get(start..self.headers_end as usize).unwrap_or_default()
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(self.headers_end as usize..).unwrap_or_default()
    }

    /// Bytes of headers and body.
    pub(crate) fn weight(&self) -> u32 {
        let key = self.key_end.unwrap_or(0) as usize;
        u32::try_from(self.bytes.len() - key).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_parts_come_back() {
        let whole = Packed::of(Some("ada"), b"h", b"body");
        assert_eq!(
            (whole.key(), whole.headers(), whole.body()),
            (Some("ada"), &b"h"[..], &b"body"[..])
        );
        assert_eq!(whole.weight(), 5);
        let plain = Packed::of(None, b"", b"b");
        assert_eq!((plain.key(), plain.headers(), plain.body()), (None, &b""[..], &b"b"[..]));
        assert_eq!(Packed::of(Some(""), b"", b"").key(), Some(""));
    }
}
