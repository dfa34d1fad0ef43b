//! The names under which an envelope's parts travel: CloudEvents 1.0 in binary mode, and ours as
//! an extension of it. Persisted: none is ever reused.

/// Marks the attributes of CloudEvents among a record's headers.
pub(crate) const SPEC_VERSION: &str = "ce_specversion";
/// With the source, the message's identity: `SLOT-SEQUENCE`.
pub(crate) const ID: &str = "ce_id";
/// The stream but for its slot: `/endwise/SERVICE/STORE/EPOCH/TOPIC`.
pub(crate) const SOURCE: &str = "ce_source";
/// The name of the type.
pub(crate) const TYPE: &str = "ce_type";
/// The key.
pub(crate) const SUBJECT: &str = "ce_subject";
/// When the message was committed, RFC 3339.
pub(crate) const TIME: &str = "ce_time";
/// The sequence in the stream.
pub(crate) const SEQUENCE: &str = "ce_sequence";
/// This key's previous sequence.
pub(crate) const PREV: &str = "ce_ewprev";
/// The highest sequence that the sender may have forgotten.
pub(crate) const HORIZON: &str = "ce_ewhorizon";
/// The first sequence that was open at the sender.
pub(crate) const FLOOR: &str = "ce_ewfloor";
/// What the message was sent for: `POSITION;HANDLER;INDEX`.
pub(crate) const CAUSE: &str = "ce_ewcause";
/// The digest, hexadecimal.
pub(crate) const DIGEST: &str = "ce_ewdigest";
/// The receivers that are asked to answer. Reserved: nothing writes it yet.
#[expect(dead_code, reason = "a reserved name is never given to anything else")]
pub(crate) const RECEIPT: &str = "ce_ewreceipt";
/// The body's media type.
pub(crate) const CONTENT_TYPE: &str = "content-type";

/// Whether a header's name is one of the envelope's own, in whatever spelling others read it.
pub(crate) fn is_reserved(name: &[u8]) -> bool {
    let prefix = name.get(..3).unwrap_or_default();
    prefix.eq_ignore_ascii_case(b"ce_")
        || prefix.eq_ignore_ascii_case(b"ce-")
        || name.eq_ignore_ascii_case(CONTENT_TYPE.as_bytes())
}

/// The media type of the bodies that Endwise writes.
pub(crate) const JSON: &str = "application/json";
/// The first part of an Endwise source.
pub(crate) const SOURCE_PREFIX: &str = "/endwise/";
