//! What a rule is.

/// A rule: whose code, what it must not have, and what to do instead.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) of: Of,
    pub(crate) never: Never,
    pub(crate) instead: &'static str,
    /// Where it may be all the same. One that nothing needs any more has to go.
    pub(crate) but: &'static [But],
    /// A file's path and text that the rule must catch; `LONG` in it stands for 500 lines.
    pub(crate) caught: (&'static str, &'static str),
}

/// Whose code. Modules are the framework's, each with all below it.
#[derive(Debug)]
pub(crate) enum Of {
    /// The framework's and the macros', without their tests.
    Library,
    /// The framework's, without its tests, of these modules alone.
    Modules(&'static [&'static str]),
    /// The library's, of all modules but these.
    AllBut(&'static [&'static str]),
    /// The macros', with what they write into users' code.
    Macros,
    /// All tests.
    Tests,
    /// All Rust, but for what is made not to compile.
    Rust,
    /// All files, whatever is in them.
    Files,
}

/// What it must not have.
#[derive(Debug)]
pub(crate) enum Never {
    /// A path that begins with one of these, unless it begins with one of those. An import is
    /// followed to what it stands for; what is within the module itself is its own.
    Names { of: &'static [&'static str], except: &'static [&'static str] },
    /// A way to one of these modules, over any others.
    Reaches(&'static [&'static str]),
    /// One of these words.
    Words(&'static [&'static str]),
    /// A call of a method of one of these names.
    Calls(&'static [&'static str]),
    /// One of these macros.
    Macros(&'static [&'static str]),
    /// One of these attributes.
    Attributes(&'static [&'static str]),
    /// A `select!` that polls in random order.
    UnbiasedSelect,
    /// More lines in a file.
    LinesOver(usize),
    /// More lines in a function.
    FunctionLinesOver(usize),
    /// One of these texts, where no letter, digit or the like joins them to something longer.
    Text(&'static [&'static str]),
    /// A folder of examples without one of these files.
    ExampleWithout(&'static [&'static str]),
    /// A Cargo.toml under one of these folders without this text.
    ManifestsWithout { under: &'static [&'static str], text: &'static str },
}

/// Where a rule does not hold, and why.
#[derive(Debug)]
pub(crate) struct But {
    pub(crate) file: &'static str,
    pub(crate) what: &'static str,
    pub(crate) why: &'static str,
}

/// Shortens a list of exceptions.
pub(crate) const fn but(file: &'static str, what: &'static str, why: &'static str) -> But {
    But { file, what, why }
}

/// A place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// Makes of a table of rules a test that each holds, and a test that each catches.
macro_rules! rules {
    ($($name:ident: $rule:expr,)*) => {
        mod holds {
            $(#[test]
            fn $name() {
                crate::check::holds(stringify!($name), &super::$name());
            })*
        }

        mod catches {
            $(#[test]
            fn $name() {
                crate::check::catches(stringify!($name), &super::$name());
            })*
        }

        $(fn $name() -> crate::rule::Rule {
            const RULE: crate::rule::Rule = $rule;
            RULE
        })*
    };
}
pub(crate) use rules;
