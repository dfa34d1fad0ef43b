//! How much a record may have: more of it is no message, for no store could keep it.

use super::Invalid;
use crate::envelope::Headers;
use crate::envelope::attributes::is_reserved;
use crate::limits::MessageLimits;

/// What the attributes of a record may take in its headers, in bytes; they need far less.
const ATTRIBUTES_BYTES_MAX: usize = 8 << 10;

/// Refuses a record that has more, and one whose attributes take more than they can need.
pub(super) fn check(limits: MessageLimits, headers: &Headers, body: &[u8]) -> Result<(), Invalid> {
    let refuse = |what, found, most| Err(Invalid::Limit { what, found, most });
    if body.len() > limits.payload_bytes_max {
        return refuse("bytes in its body", body.len(), limits.payload_bytes_max);
    }
    let (mut own, mut own_bytes) = (0, 0);
    for (name, value) in headers.iter_bytes() {
        if !is_reserved(name) {
            own += 1;
            own_bytes += Headers::PREFIX_BYTES + name.len() + value.len();
        }
    }
    if own > limits.headers_max {
        return refuse("headers of its own", own, limits.headers_max);
    }
    if own_bytes > limits.headers_bytes_max {
        return refuse("bytes of headers of its own", own_bytes, limits.headers_bytes_max);
    }
    let attributes = headers.as_bytes().len() - own_bytes;
    if attributes > ATTRIBUTES_BYTES_MAX {
        return refuse("bytes of attributes", attributes, ATTRIBUTES_BYTES_MAX);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn a_record_is_held_against_its_own_headers_and_its_attributes() {
        let limits = Limits {
            payload_bytes_max: 4,
            headers_max: 2,
            headers_bytes_max: 20,
            ..Limits::default()
        };
        let limits = limits.of_messages();
        let told = |headers: &[(&str, &str)], body: &[u8]| {
            let headers: Headers = headers.iter().copied().collect();
            check(limits, &headers, body).map_err(|invalid| invalid.to_string())
        };
        let attributes = [("ce_id", "1"), ("ce_type", "Ping"), ("content-type", "json")];
        let own = [("a", "1"), ("b", "2")];
        told(&[attributes.as_slice(), &own].concat(), b"body").unwrap();
        let error = told(&[], b"a body").unwrap_err();
        assert_eq!(error, "it has 6 bytes in its body, 4 is the limit");
        let error = told(&[("a", ""), ("b", ""), ("a", "")], b"").unwrap_err();
        assert_eq!(error, "it has 3 headers of its own, 2 is the limit");
        let error = told(&[("long", "01234567890123456789")], b"").unwrap_err();
        assert_eq!(error, "it has 27 bytes of headers of its own, 20 is the limit");
        let error = told(&[("ce_more", &"x".repeat(10_000))], b"").unwrap_err();
        assert!(error.contains("bytes of attributes, 8192 is the limit"), "{error}");
    }
}
