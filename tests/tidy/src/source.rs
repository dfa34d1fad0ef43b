//! A file: whose it is, its tokens, the paths it names, its functions.

use std::str::FromStr;

use proc_macro2::{Span, TokenStream};
use syn::spanned::Spanned;
use syn::visit::Visit;

use crate::names::{Names, Path};
use crate::tokens::Tokens;

/// A file of the project.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its path from the project's root, with slashes.
    pub(crate) file: String,
    pub(crate) text: String,
    /// What it is as Rust; nothing else has it.
    pub(crate) rust: Option<Rust>,
}

/// A file of Rust.
#[derive(Debug)]
pub(crate) struct Rust {
    /// The module of the framework that it is; other crates' files have none.
    pub(crate) module: Path,
    pub(crate) tokens: Tokens,
    pub(crate) names: Names,
    pub(crate) functions: Vec<Function>,
}

/// A function, with its signature's first line and its body's last.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) first: usize,
    pub(crate) last: usize,
}

impl Source {
    /// Reads a file. What does not parse is only text: the compiler says so.
    pub(crate) fn new(file: &str, text: String) -> Self {
        let rust = if file.ends_with(".rs") { Rust::of(file, &text) } else { None };
        Source { file: file.to_owned(), text, rust }
    }

    /// Whether it belongs to the two crates that are published.
    pub(crate) fn is_library(&self) -> bool {
        self.file.starts_with("framework/src/") || self.file.starts_with("macros/src/")
    }

    /// Whether it is made not to compile.
    pub(crate) fn must_fail(&self) -> bool {
        self.file.starts_with("tests/macros/tests/fail/")
    }
}

impl Rust {
    fn of(file: &str, text: &str) -> Option<Rust> {
        let stream = TokenStream::from_str(text).ok()?;
        let parsed: syn::File = syn::parse2(stream.clone()).ok()?;
        let mut functions = Functions(Vec::new());
        functions.visit_file(&parsed);
        let mut tokens = Tokens::of(stream);
        if !is_code(file) {
            tokens.tests.splice(0..0, std::mem::take(&mut tokens.code));
        }
        let module = module(file);
        let names = Names::of(&tokens.code, &module, &tokens.modules);
        Some(Rust { module, tokens, names, functions: functions.0 })
    }
}

/// Whether a file is code by its place: the library, the examples, not a crate of tests.
fn is_code(file: &str) -> bool {
    let is_example = file.starts_with("examples/") && file.contains("/src/");
    file.starts_with("framework/src/") || file.starts_with("macros/src/") || is_example
}

/// `framework/src/consume/lane.rs` is `crate::consume::lane`.
fn module(file: &str) -> Path {
    let Some(file) = file.strip_prefix("framework/src/") else { return Path::new() };
    let file = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let segments = file.split('/').filter(|segment| *segment != "lib");
    std::iter::once("crate").chain(segments).map(str::to_owned).collect()
}

struct Functions(Vec<Function>);

impl Functions {
    fn add(&mut self, signature: &syn::Signature, body: Span) {
        let (name, first) = (signature.ident.to_string(), signature.span().start().line);
        self.0.push(Function { name, first, last: body.end().line });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.add(&function.sig, function.block.span());
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.add(&function.sig, function.block.span());
        syn::visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.add(&function.sig, body.span());
        }
        syn::visit::visit_trait_item_fn(self, function);
    }
}
