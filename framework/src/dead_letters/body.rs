//! Bytes that a person is to read, without losing any of them.

use serde::{Deserialize, Serialize};

/// Bytes as text where they are text, else in hexadecimal digits.
///
/// ```
/// use framework::dead_letters::Body;
/// assert_eq!(Body::of(b"{}"), Body::Text("{}".into()));
/// assert_eq!(Body::of(&[0xff, 0x0a]), Body::Hex("ff0a".into()));
/// assert_eq!(Body::Hex("ff0a".into()).to_string(), "ff0a");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Text.
    Text(String),
    /// Hexadecimal digits, two a byte.
    Hex(String),
}

impl Body {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        match str::from_utf8(bytes) {
            Ok(text) => Body::Text(text.to_owned()),
            Err(_) => Body::Hex(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }
}

impl std::fmt::Display for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Body::Text(text) | Body::Hex(text)) = self;
        f.write_str(text)
    }
}
