//! Checks a rule on the project's files, and on a snippet that it must catch.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::names::Path;
use crate::rule::{Finding, Never, Of, Rule};
use crate::source::{Rust, Source};
use crate::tokens::{Token, starts};
use crate::tree::Tree;

/// Fails with every place that breaks the rule, and every exception that nothing needs.
pub(crate) fn holds(name: &str, rule: &Rule) {
    let (mut broken, mut unneeded) = (Vec::new(), BTreeSet::new());
    unneeded.extend(rule.but.iter().map(|but| (but.file, but.what, but.why)));
    for found in findings(rule, Tree::project()) {
        let allows = |but: &&crate::rule::But| but.file == found.file && but.what == found.what;
        match rule.but.iter().find(allows) {
            Some(but) => drop(unneeded.remove(&(but.file, but.what, but.why))),
            None => broken.push(format!("{}:{}: {}", found.file, found.line, found.what)),
        }
    }
    for (file, what, _) in unneeded {
        broken.push(format!("{file}: nothing needs its exception for {what} any more: remove it"));
    }
    let broken_at = broken.join("\n");
    assert!(broken.is_empty(), "\n\nrule {name}\n{broken_at}\ninstead: {}\n\n", rule.instead);
}

/// Fails if the rule does not see its snippet.
pub(crate) fn catches(name: &str, rule: &Rule) {
    let (file, text) = rule.caught;
    let text = text.replace("LONG", &"\n".repeat(500));
    let tree = Tree::of(vec![Source::new(file, text.clone())]);
    assert!(!findings(rule, &tree).is_empty(), "rule {name} does not catch: {text}");
}

/// All places that break a rule, without regard to its exceptions.
pub(crate) fn findings(rule: &Rule, tree: &Tree) -> Vec<Finding> {
    let mut all = Vec::new();
    for source in &tree.sources {
        let mut add = |line: usize, what: String| {
            all.push(Finding { file: source.file.clone(), line, what });
        };
        match (&rule.never, &source.rust) {
            (Never::Text(texts), _) => text(source, texts, &mut add),
            (Never::ExampleWithout(files), _) => example(tree, source, files, &mut add),
            (Never::ManifestsWithout { under, text }, _) => {
                let is_one = under.iter().any(|folder| source.file.starts_with(folder))
                    && source.file.ends_with("/Cargo.toml");
                if is_one && !source.text.contains(text) {
                    add(1, format!("no {text:?}"));
                }
            }
            (_, None) => {}
            (never, Some(rust)) if rule.of.has(source, rust) => match never {
                Never::Names { of, except } => names(tree, rust, &rule.of, of, except, &mut add),
                Never::Reaches(targets) => reaches(tree, rust, targets, &mut add),
                Never::LinesOver(most) => {
                    let lines = source.text.lines().count();
                    if lines > *most {
                        add(lines, format!("more than {most} lines"));
                    }
                }
                Never::FunctionLinesOver(most) => {
                    let long = rust.functions.iter().filter(|f| f.last - f.first >= *most);
                    long.for_each(|function| add(function.first, function.name.clone()));
                }
                never => rule.of.tokens(rust).for_each(|row| tokens(row, never, &mut add)),
            },
            _ => {}
        }
    }
    all
}

impl Of {
    fn has(&self, source: &Source, rust: &Rust) -> bool {
        let is_in = |modules: &[&str]| modules.iter().any(|module| begins(&rust.module, module));
        match self {
            Of::Library => source.is_library(),
            Of::Modules(modules) => is_in(modules),
            Of::AllBut(modules) => source.is_library() && !is_in(modules),
            Of::Macros => source.file.starts_with("macros/src/"),
            Of::Tests | Of::Rust | Of::Files => !source.must_fail(),
        }
    }

    fn tokens<'rust>(&self, rust: &'rust Rust) -> impl Iterator<Item = &'rust [Token]> {
        let code = (!matches!(self, Of::Tests)).then_some(&rust.tokens.code[..]);
        let tests = matches!(self, Of::Tests | Of::Rust | Of::Files);
        code.into_iter().chain(tests.then_some(&rust.tokens.tests[..]))
    }
}

/// Whether a path begins with one that is written as in Rust.
fn begins(path: &[String], with: &str) -> bool {
    let mut segments = path.iter();
    with.split("::").all(|wanted| segments.next().is_some_and(|segment| segment == wanted))
}

fn names(
    tree: &Tree,
    rust: &Rust,
    scope: &Of,
    of: &[&str],
    except: &[&str],
    add: &mut impl FnMut(usize, String),
) {
    let own: &[&str] = if let Of::Modules(modules) = scope { modules } else { &[] };
    for (path, line) in &rust.names.paths {
        let both = [path.clone(), tree.resolve(path)];
        let any = |these: &[&str]| both.iter().any(|p| these.iter().any(|this| begins(p, this)));
        if any(of) && !any(except) && !own.iter().any(|module| begins(&both[1], module)) {
            add(*line, both[1].join("::"));
        }
    }
}

/// A way over any modules to one of the targets.
fn reaches(tree: &Tree, from: &Rust, targets: &[&str], add: &mut impl FnMut(usize, String)) {
    let mut seen: BTreeMap<&Path, (usize, String)> = BTreeMap::new();
    let mut open = VecDeque::from([(from, None::<usize>, from.module.join("::"))]);
    while let Some((rust, first, way)) = open.pop_front() {
        for (path, line) in &rust.names.paths {
            let (path, line) = (tree.resolve(path), first.unwrap_or(*line));
            let way = || format!("{way} → {}", path.join("::"));
            if targets.iter().any(|target| begins(&path, target)) {
                return add(line, way());
            }
            let next = tree.module_of(&path).and_then(|source| source.rust.as_ref());
            if let Some(next) = next
                && !seen.contains_key(&next.module)
            {
                seen.insert(&next.module, (line, way()));
                open.push_back((next, Some(line), way()));
            }
        }
    }
}

fn tokens(row: &[Token], never: &Never, add: &mut impl FnMut(usize, String)) {
    for (at, token) in row.iter().enumerate() {
        let rest = &row[at..];
        let after = |text: &str| rest.get(1).is_some_and(|next| next.text == text);
        let has = |words: &[&str]| token.is_word && words.contains(&&*token.text);
        let before = |back: usize| at.checked_sub(back).map(|index| &*row[index].text);
        match never {
            Never::Words(words) if has(words) => add(token.line, token.text.clone()),
            Never::Calls(calls) if has(calls) && before(1) == Some(".") && !after(".") => {
                add(token.line, format!("{}.{}", before(2).unwrap_or_default(), token.text));
            }
            Never::Macros(macros) if has(macros) && after("!") && !starts(&rest[2..], &["="]) => {
                add(token.line, format!("{}!", token.text));
            }
            Never::Attributes(names) if has(names) && before(1) == Some("[") => {
                add(token.line, format!("#[{}]", token.text));
            }
            Never::UnbiasedSelect
                if has(&["select"]) && after("!") && !starts(&rest[3..], &["biased", ";"]) =>
            {
                add(token.line, "select! without biased".to_owned());
            }
            _ => {}
        }
    }
}

fn text(source: &Source, texts: &[&str], add: &mut impl FnMut(usize, String)) {
    let joins = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    for (number, line) in source.text.lines().enumerate() {
        for text in texts {
            let is_alone = |(at, _): (usize, &str)| {
                let end = line[at + text.len()..].chars().next();
                let ends = text.ends_with('/') || !end.is_some_and(joins);
                ends && !line[..at].chars().next_back().is_some_and(joins)
            };
            if line.match_indices(text).any(is_alone) {
                add(number + 1, (*text).to_owned());
            }
        }
    }
}

fn example(tree: &Tree, source: &Source, files: &[&str], add: &mut impl FnMut(usize, String)) {
    let Some((name, _)) = source.file.strip_prefix("examples/").and_then(|f| f.split_once('/'))
    else {
        return;
    };
    let folder = format!("examples/{name}/");
    let first = tree.sources.iter().find(|other| other.file.starts_with(&folder));
    if first.is_none_or(|first| first.file != source.file) {
        return;
    }
    for file in files {
        let wanted = format!("examples/{name}/{file}");
        if !tree.sources.iter().any(|other| other.file == wanted) {
            add(1, format!("no {wanted}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(of: Of, never: Never, files: &[(&str, &str)]) -> Vec<String> {
        let rule = Rule { of, never, instead: "", but: &[], caught: ("", "") };
        let sources = files.iter().map(|(file, text)| Source::new(file, (*text).to_owned()));
        findings(&rule, &Tree::of(sources.collect())).into_iter().map(|found| found.what).collect()
    }

    const STORE: Never = Never::Names { of: &["crate::store"], except: &["crate::store::Entry"] };

    #[test]
    fn an_import_is_followed_to_what_it_stands_for() {
        let found = of(
            Of::Modules(&["crate::consume::lane"]),
            STORE,
            &[
                (
                    "framework/src/consume.rs",
                    "pub mod lane; use crate::store::{Reader as R, Entry};",
                ),
                ("framework/src/consume/lane.rs", "use super::{Entry, R}; fn f(r: R, e: Entry) {}"),
            ],
        );
        assert_eq!(found, ["crate::store::Reader", "crate::store::Reader"]);
    }

    #[test]
    fn tests_documentation_and_fields_name_nothing() {
        let found = of(
            Of::Modules(&["crate::app"]),
            STORE,
            &[
                ("framework/src/app.rs", "/// [`crate::store`]\n#[cfg(test)] mod tests;"),
                ("framework/src/app/tests.rs", "use crate::store::Reader;"),
                ("framework/src/app/a.rs", "#[cfg(test)] fn f<T, U>() { crate::store::f() }"),
                (
                    "framework/src/app/b.rs",
                    "struct S { #[cfg(test)] s: crate::store::S, store: u8 }",
                ),
                ("framework/src/app/c.rs", "fn f() { let store = self.store.store(); }"),
            ],
        );
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn what_comes_after_a_test_and_within_a_macro_counts() {
        let found = of(
            Of::Modules(&["crate::app"]),
            STORE,
            &[
                ("framework/src/app/a.rs", "#[cfg(test)] fn f() {} use crate::store::A;"),
                ("framework/src/app/b.rs", "fn f() { select! { a = crate::store::B => {} } }"),
                (
                    "framework/src/app/c.rs",
                    "#[cfg(test)] use a::{b, c}; use super::super::store::C;",
                ),
            ],
        );
        assert_eq!(found, ["crate::store::A", "crate::store::B", "crate::store::C"]);
    }

    #[test]
    fn a_way_leads_over_other_modules() {
        let found = of(
            Of::Modules(&["crate::handler"]),
            Never::Reaches(&["crate::store"]),
            &[
                ("framework/src/handler.rs", "use crate::Wiring;"),
                ("framework/src/lib.rs", "mod wiring; pub use wiring::Wiring;"),
                ("framework/src/wiring.rs", "fn f(r: crate::store::Reader) {}"),
            ],
        );
        let way = "crate::handler → crate::wiring::Wiring → crate::store::Reader";
        assert_eq!(found, [way]);
    }
}
