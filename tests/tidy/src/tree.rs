//! All files of the project, read once.

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::names::Path;
use crate::source::Source;

/// Files larger than this are data.
const BYTES_MAX: u64 = 1 << 20;

/// How often an import may lead to the next.
const IMPORTS_MAX: usize = 8;

/// Files, and where their imports lead.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) sources: Vec<Source>,
    imports: BTreeMap<Path, Path>,
}

impl Tree {
    /// The project's.
    pub(crate) fn project() -> &'static Tree {
        static TREE: OnceLock<Tree> = OnceLock::new();
        TREE.get_or_init(|| {
            // Where it runs, not where it was built: a checkout may have been moved.
            let own = std::env::var("CARGO_MANIFEST_DIR");
            let root = FilePath::new(own.as_deref().unwrap_or(".")).join("../..");
            let read = |file: String| {
                let path = root.join(&file);
                let is_small = path.metadata().is_ok_and(|data| data.len() <= BYTES_MAX);
                let text = std::fs::read_to_string(path).ok().filter(|_| is_small)?;
                Some(Source::new(&file, text))
            };
            let sources: Vec<_> = files(&root).into_iter().filter_map(read).collect();
            assert!(sources.len() > 100, "no project around {}", root.display());
            Tree::of(sources)
        })
    }

    /// Of some files. What a `#[cfg(test)] mod` declares is test code with all below it.
    pub(crate) fn of(mut sources: Vec<Source>) -> Tree {
        let declared = |source: &Source| {
            let rust = source.rust.as_ref().filter(|rust| !rust.module.is_empty())?;
            let child = |name: &String| [&rust.module[..], std::slice::from_ref(name)].concat();
            Some(rust.tokens.test_modules.iter().map(child).collect::<Vec<Path>>())
        };
        let tests: Vec<Path> = sources.iter().filter_map(declared).flatten().collect();
        let mut imports = BTreeMap::new();
        for rust in sources.iter_mut().filter_map(|source| source.rust.as_mut()) {
            if tests.iter().any(|test| rust.module.starts_with(test)) {
                rust.tokens.tests.splice(0..0, std::mem::take(&mut rust.tokens.code));
                rust.names = Default::default();
            }
            for (alias, path) in rust.names.imports.iter().filter(|_| !rust.module.is_empty()) {
                imports
                    .insert([&rust.module[..], std::slice::from_ref(alias)].concat(), path.clone());
            }
        }
        Tree { sources, imports }
    }

    /// Where a path leads, through all imports on the way.
    pub(crate) fn resolve(&self, path: &[String]) -> Path {
        let mut path = path.to_vec();
        for _ in 0..IMPORTS_MAX {
            let lengths = 2..=path.len();
            let step = lengths.rev().find_map(|length| {
                let target = self.imports.get(&path[..length])?;
                Some([&target[..], &path[length..]].concat()).filter(|next| *next != path)
            });
            match step {
                Some(next) => path = next,
                None => break,
            }
        }
        path
    }

    /// The module of the framework, with a file of its own, that a path leads into.
    pub(crate) fn module_of(&self, path: &[String]) -> Option<&Source> {
        let is_of = |source: &&Source| {
            let rust = source.rust.as_ref();
            rust.is_some_and(|rust| rust.module.len() > 1 && path.starts_with(&rust.module))
        };
        let length = |source: &&Source| source.rust.as_ref().map(|rust| rust.module.len());
        self.sources.iter().filter(is_of).max_by_key(length)
    }
}

/// What git tracks or would; without git, what lies there.
fn files(root: &FilePath) -> Vec<String> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).current_dir(root).output();
    let listed = output.ok().filter(|output| output.status.success());
    let mut files = match listed.and_then(|output| String::from_utf8(output.stdout).ok()) {
        Some(text) if !text.is_empty() => text.split_terminator('\0').map(str::to_owned).collect(),
        _ => walk(root),
    };
    files.sort();
    files.dedup();
    files
}

fn walk(root: &FilePath) -> Vec<String> {
    let (mut files, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        for entry in root.join(&folder).read_dir().into_iter().flatten().flatten() {
            let name = entry.file_name();
            let path = folder.join(&name);
            let is_skipped = name == "target" || name == ".git";
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !is_skipped => folders.push(path),
                Ok(kind) if kind.is_file() => files.push(path.to_string_lossy().replace('\\', "/")),
                _ => {}
            }
        }
    }
    files
}
