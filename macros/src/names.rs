//! Names that are stored and sent: checked where they are written.

use syn::{Error, LitStr, Result};

/// The longest name of a topic that every broker takes.
const TOPIC_BYTES_MAX: usize = 249;

/// A topic that every broker takes.
pub(crate) fn topic(literal: LitStr) -> Result<LitStr> {
    let text = literal.value();
    if text.len() > TOPIC_BYTES_MAX || text == "." || text == ".." {
        let why =
            format!("a topic has at most {TOPIC_BYTES_MAX} characters, and is not `.` or `..`");
        return Err(Error::new(literal.span(), why));
    }
    plain(literal, "a topic")
}

/// A name of letters, digits, `.`, `_` and `-`, so that it is itself in every file, header and
/// command line.
pub(crate) fn plain(literal: LitStr, what: &str) -> Result<LitStr> {
    let text = literal.value();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || !text.chars().all(fits) {
        let why = format!("{what} consists of letters (a-z, A-Z), digits, `.`, `_` and `-`");
        return Err(Error::new(literal.span(), why));
    }
    Ok(literal)
}

/// A Rust name as a topic: `DepositMade` is `deposit-made`, `HTTPRequest` is `http-request`.
pub(crate) fn kebab(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut kebab = String::with_capacity(name.len() + 4);
    for (at, letter) in letters.iter().enumerate() {
        if *letter == '_' {
            kebab.push('-');
            continue;
        }
        let before = at.checked_sub(1).and_then(|before| letters.get(before));
        let after = letters.get(at + 1);
        // A word starts after a small letter or digit, and where a run of capitals ends.
        let starts = letter.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_numeric()
                    || (before.is_uppercase() && after.is_some_and(|after| after.is_lowercase()))
            });
        if starts {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::kebab;

    #[test]
    fn a_rust_name_becomes_a_topic() {
        assert_eq!(kebab("Deposit"), "deposit");
        assert_eq!(kebab("WaybillMoved"), "waybill-moved");
        assert_eq!(kebab("HTTPRequest"), "http-request");
        assert_eq!(kebab("Step2Done"), "step2-done");
        assert_eq!(kebab("Old_Name"), "old-name");
    }
}
