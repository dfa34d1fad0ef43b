//! The envelope: a message as it travels, CloudEvents 1.0 attributes and ours.

use std::sync::Arc;

use bytes::Bytes;

use crate::stream::{Key, Position};

pub(crate) mod attributes;
pub(crate) mod digest;
mod headers;

pub use headers::Headers;
pub(crate) use headers::put_header;

/// A decoded message: who it is, what must come before it, and its body.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Envelope {
    /// Its identity.
    pub position: Position,
    /// The topic that it was sent to.
    pub topic: Arc<str>,
    /// The name of its type.
    pub type_name: Arc<str>,
    /// What it is about, if it names a key.
    pub key: Option<Key>,
    /// What must be handled before it.
    pub context: Context,
    /// XXH3-128 over key, type, position, context and body; checked by the last code before the
    /// handler.
    pub digest: Option<u128>,
    /// All headers, CloudEvents attributes among them.
    pub headers: Headers,
    /// When its sender committed it, milliseconds since 1970; 0 if that is not known.
    pub time_ms: u64,
    /// The body, JSON.
    pub body: Bytes,
}

/// What a message names as coming before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// This key's previous sequence in the stream, where the sender remembers it.
    pub prev: Option<u64>,
    /// The highest sequence of the stream that the sender may have forgotten (0: none).
    pub horizon: u64,
    /// The first sequence that was still open at the sender when this was sent (0: unknown).
    pub floor: u64,
}
