//! The paths that a file names, from the crate's root as far as the file itself tells.

use std::collections::BTreeMap;

use crate::tokens::Token;

/// A path, segment by segment.
pub(crate) type Path = Vec<String>;

/// The paths in a file's code, with their lines, and what it imports under which name.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) paths: Vec<(Path, usize)>,
    pub(crate) imports: BTreeMap<String, Path>,
}

impl Names {
    /// Of the code of the module `own`, which declares the modules `children`.
    pub(crate) fn of(code: &[Token], own: &[String], children: &[String]) -> Self {
        let mut names = Names::default();
        let mut raw = Vec::new();
        let mut at = 0;
        while at < code.len() {
            // Behind `impl Trait + use<..>` stands what it captures, and no path.
            let is_bound = code.get(at + 1).is_some_and(|next| next.text == "<");
            if code[at].text == "use" && code[at].is_word && !is_bound {
                at = names.import(code, at + 1, &[], own, children);
            } else if starts_path(code, at) {
                let (path, end) = path(code, at);
                raw.push((path, code[at].line));
                at = end;
            } else {
                at += 1;
            }
        }
        for (path, line) in raw {
            let path = match names.imports.get(&path[0]) {
                Some(import) => [import, &path[1..]].concat(),
                None => absolute(path, own, children),
            };
            names.paths.push((path, line));
        }
        names
    }

    /// Reads a tree of a `use` and returns where it ends.
    fn import(
        &mut self,
        code: &[Token],
        mut at: usize,
        before: &[String],
        own: &[String],
        children: &[String],
    ) -> usize {
        let (mut path, line) = (before.to_vec(), code[at].line);
        while at < code.len() {
            match &*code[at].text {
                ":" => at += 1,
                "{" => {
                    at += 1;
                    while at < code.len() && code[at].text != "}" {
                        at = self.import(code, at, &path, own, children);
                        at += usize::from(code.get(at).is_some_and(|token| token.text == ","));
                    }
                    return at + 1;
                }
                "," | ";" | "}" | "as" => break,
                text => {
                    path.push(text.to_owned());
                    at += 1;
                }
            }
        }
        let mut alias = path.last().cloned().unwrap_or_default();
        if code.get(at).is_some_and(|token| token.text == "as") {
            alias = code.get(at + 1).map(|token| token.text.clone()).unwrap_or_default();
            at += 2;
        }
        if alias == "self" {
            path.pop();
            alias = path.last().cloned().unwrap_or_default();
        }
        let path = absolute(path, own, children);
        self.paths.push((path.clone(), line));
        if alias != "*" && alias != "_" {
            self.imports.insert(alias, path);
        }
        at
    }
}

/// Whether a path begins here: a word that is not what follows a dot or the rest of a path.
fn starts_path(code: &[Token], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map(|index| &*code[index].text);
    let continues = before(1) == Some(":") && before(2) == Some(":") && {
        before(3).is_some() && at >= 3 && (code[at - 3].is_word || code[at - 3].text == ">")
    };
    let is_field = before(1) == Some(".") && before(2) != Some(".");
    code[at].is_word && !continues && !is_field
}

/// The path that begins here, and where it ends.
fn path(code: &[Token], mut at: usize) -> (Path, usize) {
    let mut path = vec![code[at].text.clone()];
    at += 1;
    while let [first, second, word, ..] = &code[at..]
        && first.text == ":"
        && second.text == ":"
        && word.is_word
    {
        path.push(word.text.clone());
        at += 3;
    }
    (path, at)
}

/// A path from the crate's root, if it says so, or is of a module's own child.
fn absolute(path: Path, own: &[String], children: &[String]) -> Path {
    let mut module = own.to_vec();
    let mut rest = &path[..];
    match &*path.first().cloned().unwrap_or_default() {
        "crate" | "framework" => return [&["crate".to_owned()], &path[1..]].concat(),
        "self" if path.len() > 1 => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|segment| segment == "super") {
                module.pop();
                rest = &rest[1..];
            }
        }
        first if path.len() > 1 && children.iter().any(|child| child == first) => {}
        _ => return path,
    }
    module.extend_from_slice(rest);
    module
}
