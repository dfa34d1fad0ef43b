//! What can be wrong with a configuration, said to whoever wrote it.

use std::fmt;
use std::path::PathBuf;

/// Why a configuration cannot be used.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {} cannot be read: {source}{hint}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
        /// What to do about it.
        hint: &'static str,
    },
    /// It is no TOML.
    #[error("{place}: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What is wrong.
        message: String,
    },
    /// Nothing is called that.
    #[error(
        "{place}: {what} is unknown{}; {}",
        nearest.as_ref().map(|name| format!(" (did you mean {name}?)")).unwrap_or_default(),
        match known.as_slice() {
            [] => PAGE.to_owned(),
            known => format!("known are: {}", known.join(", ")),
        }
    )]
    Unknown {
        /// Where.
        place: Place,
        /// What is unknown.
        what: String,
        /// What is called almost that.
        nearest: Option<String>,
        /// All that there are; none where they are too many for a line.
        known: Vec<String>,
    },
    /// A value cannot be.
    #[error("{place}: {key} cannot be {found}: {allowed}")]
    Value {
        /// Where.
        place: Place,
        /// The key, with its table.
        key: String,
        /// What was found; of a secret only what may be seen.
        found: String,
        /// What is allowed.
        allowed: String,
    },
    /// Two values do not go together.
    #[error("{place}: {problem}")]
    Pair {
        /// Where one of them stands.
        place: Place,
        /// What is wrong, and what to do.
        problem: String,
    },
}

/// What it says to a person, for this is what a `main` that returns it prints.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Where all variables are said.
const PAGE: &str = "the page docs/guide/configuration.md lists all, and Config::template() the keys \
                    that they set";

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// In this file, at this line, from 1.
    File(PathBuf, usize),
    /// At this line of a text.
    Line(usize),
    /// In this environment variable.
    Variable(String),
    /// In a [`Config`](super::Config) that the program made.
    Program,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path, line) => write!(f, "{}:{line}", path.display()),
            Place::Line(line) => write!(f, "line {line}"),
            Place::Variable(name) => write!(f, "environment variable {name}"),
            Place::Program => f.write_str("the configuration that the program made"),
        }
    }
}
