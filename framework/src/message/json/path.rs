//! Where in a value something is that cannot be written.

use std::cell::RefCell;
use std::fmt;

/// How many steps of a path are named, from the outermost on.
const STEPS_MAX: usize = 16;

/// How many characters of a map's key are named.
const KEY_CHARS_MAX: usize = 64;

/// A value cannot be written as JSON, or not so that it could be read back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unwritable {
    /// The field, from the outside in: `readings[3].mean`; empty for the value itself.
    pub field: String,
    /// What is wrong with it, and what to write instead.
    pub problem: String,
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "field `{}`: ", self.field)?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for Unwritable {}

/// The way from a value that cannot be written to the outermost one, noted from the inside out
/// while the error goes up. Nothing is noted as long as all is well.
#[derive(Debug, Default)]
pub(super) struct Path(RefCell<Vec<String>>);

impl Path {
    /// The value is that field.
    #[cold]
    pub(super) fn field(&self, name: &str) {
        self.step(format!(".{}", name.chars().take(KEY_CHARS_MAX).collect::<String>()));
    }

    /// The value has that place among others.
    #[cold]
    pub(super) fn index(&self, index: usize) {
        self.step(format!("[{index}]"));
    }

    fn step(&self, step: String) {
        if let Ok(mut steps) = self.0.try_borrow_mut() {
            steps.push(step);
        }
    }

    /// The error, with the path that it has come.
    #[cold]
    pub(super) fn blame(self, problem: String) -> Unwritable {
        let mut steps = self.0.into_inner();
        let more = steps.len().saturating_sub(STEPS_MAX);
        steps.drain(..more);
        let mut field: String = steps.iter().rev().map(String::as_str).collect();
        if more > 0 {
            field.push('…');
        }
        let field = field.strip_prefix('.').map_or(field.clone(), str::to_owned);
        Unwritable { field, problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_from_the_outside_in_and_a_long_one_is_cut() {
        let path = Path::default();
        path.field("mean");
        path.index(3);
        path.field("readings");
        let error = path.blame("it is NaN".into());
        assert_eq!(error.to_string(), "field `readings[3].mean`: it is NaN");

        let path = Path::default();
        (0..100).for_each(|at| path.index(at));
        let field = path.blame(String::new()).field;
        assert!(field.starts_with("[99][98]") && field.ends_with("[84]…"), "{field}");
        assert_eq!(Path::default().blame("no".into()).to_string(), "no");
    }
}
