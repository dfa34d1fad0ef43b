//! The attributes of a record, as they stand in its headers.

use crate::envelope::Headers;
use crate::envelope::attributes as name;

/// The longest name of an attribute that is read.
const NAME_BYTES_MAX: usize = 12;

/// The attributes that are read.
#[derive(Default)]
pub(super) struct Attributes<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) source: Option<&'a str>,
    pub(super) type_name: Option<&'a str>,
    pub(super) subject: Option<&'a str>,
    pub(super) prev: Option<&'a str>,
    pub(super) horizon: Option<&'a str>,
    pub(super) floor: Option<&'a str>,
    pub(super) digest: Option<&'a str>,
    pub(super) time: Option<&'a str>,
}

impl<'a> Attributes<'a> {
    /// Those in the headers. What others have sent may spell them in upper case or with a hyphen:
    /// such a header counts where the attribute itself is not there.
    pub(super) fn of(headers: &'a Headers) -> Self {
        let (mut found, mut is_spelled_otherwise) = (Attributes::default(), false);
        for (header, value) in headers.iter_bytes() {
            if !found.set(header, value) && !found.is_ours() {
                is_spelled_otherwise |= name::is_reserved(header);
            }
        }
        if is_spelled_otherwise && !found.is_ours() {
            for (header, value) in headers.iter_bytes() {
                if let Some(attribute) = usual(header, &mut [0; NAME_BYTES_MAX]) {
                    found.set(attribute, value);
                }
            }
        }
        found
    }

    fn is_ours(&self) -> bool {
        self.source.is_some_and(|source| source.starts_with(name::SOURCE_PREFIX))
    }

    /// Takes an attribute's value; whether the header is an attribute.
    fn set(&mut self, header: &[u8], value: &'a [u8]) -> bool {
        let place = match header {
            b"ce_id" => &mut self.id,
            b"ce_source" => &mut self.source,
            b"ce_type" => &mut self.type_name,
            b"ce_subject" => &mut self.subject,
            b"ce_ewprev" => &mut self.prev,
            b"ce_ewhorizon" => &mut self.horizon,
            b"ce_ewfloor" => &mut self.floor,
            b"ce_ewdigest" => &mut self.digest,
            b"ce_time" => &mut self.time,
            _ => return false,
        };
        // The first of a name counts; a user's header cannot take an attribute's place.
        if place.is_none() {
            *place = str::from_utf8(value).ok();
        }
        true
    }
}

/// A header's name in lower case and with an underscore, if it is an attribute's.
fn usual<'a>(header: &[u8], usual: &'a mut [u8; NAME_BYTES_MAX]) -> Option<&'a [u8]> {
    let usual = usual.get_mut(..header.len())?;
    usual.copy_from_slice(header);
    usual.make_ascii_lowercase();
    if let Some(hyphen) = usual.get_mut(2).filter(|byte| **byte == b'-') {
        *hyphen = b'_';
    }
    Some(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(headers: &[(&str, &str)]) -> Option<String> {
        let headers: Headers = headers.iter().copied().collect();
        Attributes::of(&headers).type_name.map(str::to_owned)
    }

    #[test]
    fn other_spellings_count_where_the_attribute_is_not_there() {
        for name in ["ce_type", "ce-type", "CE_TYPE", "Ce-Type", "CE-type"] {
            assert_eq!(types(&[("a", "1"), (name, "Ping")]).as_deref(), Some("Ping"), "{name}");
        }
        assert_eq!(types(&[("ce-type", "Pong"), ("ce_type", "Ping")]).as_deref(), Some("Ping"));
        assert_eq!(types(&[("ce_source", "/endwise/x"), ("ce-type", "Ping")]), None);
        assert_eq!(types(&[("type", "Ping"), ("ce-typed", "Ping"), ("c", "1")]), None);
    }
}
