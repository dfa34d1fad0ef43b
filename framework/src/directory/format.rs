//! `FORMAT`: a line with kind and version, what the owner has to say, and a checksum over both.

use super::{DirectoryError, Opened};

/// The content of a `FORMAT` file.
pub(super) fn text(kind: &str, text: &str) -> String {
    let body = format!("{kind}\n{}\n", text.trim_end());
    format!("{body}{CHECKSUM}{:08x}\n", crc32c::crc32c(body.as_bytes()))
}

/// What the last line begins with.
const CHECKSUM: &str = "checksum ";

/// What a `FORMAT` file of that kind says between its first line and its last.
pub(super) fn read(kind: &'static str, opened: &Opened) -> Result<String, DirectoryError> {
    let bytes = opened.read()?;
    let file = opened.path.clone();
    match parse(kind, &bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(Flaw::Other(found)) => Err(DirectoryError::Format { file, found, reads: kind }),
        Err(Flaw::Damaged(reason)) => Err(DirectoryError::Damaged { file, reason }),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Flaw {
    /// It is whole, or as an earlier version wrote it, and names something else.
    Other(String),
    Damaged(&'static str),
}

fn parse<'a>(kind: &str, bytes: &'a [u8]) -> Result<&'a str, Flaw> {
    let text = str::from_utf8(bytes).map_err(|_| Flaw::Damaged("it is no text"))?;
    let (first, _) = text.split_once('\n').unwrap_or((text, ""));
    let Some((body, sum)) = text.rfind(CHECKSUM).and_then(|at| text.split_at_checked(at)) else {
        // The first format of each kind had no checksum.
        let family = kind.trim_end_matches(|c: char| c.is_ascii_digit());
        return Err(match first.strip_prefix(family) {
            Some("1") => Flaw::Other(first.to_owned()),
            _ => Flaw::Damaged("it has no checksum"),
        });
    };
    if sum != format!("{CHECKSUM}{:08x}\n", crc32c::crc32c(body.as_bytes())) {
        return Err(Flaw::Damaged("its checksum is another one"));
    }
    match body.split_once('\n') {
        Some((first, rest)) if first == kind => Ok(rest.trim_end()),
        _ => Err(Flaw::Other(first.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_byte_is_seen() {
        let kind = "endwise store, format 2";
        let written = text(kind, "service bank\nstore 0f");
        assert_eq!(parse(kind, written.as_bytes()), Ok("service bank\nstore 0f"));
        for at in 0..written.len() {
            for bit in 0..8 {
                let mut bytes = written.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                assert!(matches!(parse(kind, &bytes), Err(Flaw::Damaged(_))), "{at} {bit}");
            }
            assert!(matches!(parse(kind, &written.as_bytes()[..at]), Err(Flaw::Damaged(_))));
        }
    }

    #[test]
    fn another_format_is_told_from_damage() {
        let kind = "endwise store, format 2";
        let other = |text: &str| match parse(kind, text.as_bytes()) {
            Err(Flaw::Other(found)) => found,
            other => panic!("{other:?}"),
        };
        assert_eq!(other("endwise store, format 1\nservice a\n"), "endwise store, format 1");
        let newer = "endwise store, format 9";
        assert_eq!(other(&text(newer, "service a")), newer);
        let another = "endwise embedded broker, format 2";
        assert_eq!(other(&text(another, "store 1")), another);
        assert_eq!(parse(kind, b""), Err(Flaw::Damaged("it has no checksum")));
        assert_eq!(parse(kind, b"\xff\xfe"), Err(Flaw::Damaged("it is no text")));
    }
}
