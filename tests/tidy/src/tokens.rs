//! A file's tokens in one row, with their lines; test code and other code apart.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A token. Comments are none; documentation is a literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
    pub(crate) is_word: bool,
}

/// The tokens of a file that are code, and those that are tests.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    pub(crate) code: Vec<Token>,
    pub(crate) tests: Vec<Token>,
    /// Modules that are declared in the code, and in the tests.
    pub(crate) modules: Vec<String>,
    pub(crate) test_modules: Vec<String>,
}

impl Tokens {
    pub(crate) fn of(stream: TokenStream) -> Self {
        let mut all = Vec::new();
        flatten(stream, &mut all);
        let (mut code, mut tests, mut rest) = (Vec::new(), Vec::new(), &all[..]);
        while let Some(first) = rest.first() {
            let count = test_item(rest);
            if count > 0 {
                tests.extend_from_slice(&rest[..count]);
                rest = &rest[count..];
            } else {
                code.push(first.clone());
                rest = &rest[1..];
            }
        }
        let (modules, test_modules) = (declared(&code), declared(&tests));
        Tokens { code, tests, modules, test_modules }
    }
}

fn flatten(stream: TokenStream, into: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        let mut push =
            |text: &str, line, is_word| into.push(Token { text: text.to_owned(), line, is_word });
        match tree {
            TokenTree::Ident(ident) => push(&ident.to_string(), line, true),
            TokenTree::Punct(punct) => push(&punct.as_char().to_string(), line, false),
            TokenTree::Literal(literal) => push(&literal.to_string(), line, false),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                push(open, line, false);
                flatten(group.stream(), into);
                let end = group.span_close().end().line;
                into.push(Token { text: close.to_owned(), line: end, is_word: false });
            }
        }
    }
}

/// How many tokens the item, statement or field has that `#[cfg(test)]` begins here; 0 if none.
fn test_item(tokens: &[Token]) -> usize {
    if !starts(tokens, &["#", "[", "cfg", "(", "test", ")", "]"]) {
        return 0;
    }
    let (mut depth, mut is_item) = (0_usize, false);
    for (index, token) in tokens.iter().enumerate().skip(7) {
        match &*token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth == 0 => return index,
            "}" => {
                depth -= 1;
                if depth == 0 {
                    return index + 1;
                }
            }
            ")" | "]" => depth -= 1,
            ";" if depth == 0 => return index + 1,
            // A field or a variant; an item may have commas among its generics.
            "," if depth == 0 && !is_item => return index + 1,
            "fn" | "mod" | "use" | "impl" | "struct" | "enum" | "trait" | "type" => is_item = true,
            _ => {}
        }
    }
    tokens.len()
}

/// The modules that are declared with a file of their own.
fn declared(tokens: &[Token]) -> Vec<String> {
    let of = |three: &[Token]| {
        (three[0].text == "mod" && three[2].text == ";").then(|| three[1].text.clone())
    };
    tokens.windows(3).filter_map(of).collect()
}

/// Whether tokens begin with these.
pub(crate) fn starts(tokens: &[Token], with: &[&str]) -> bool {
    tokens.len() >= with.len() && tokens.iter().zip(with).all(|(token, text)| token.text == *text)
}
