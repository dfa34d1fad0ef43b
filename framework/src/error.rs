//! Errors of handlers, and the mark that says: trying again cannot help.

use std::error::Error;
use std::fmt;

mod permanent;

pub(crate) use permanent::is_mark;
pub use permanent::{ErrorExt, Permanent, ResultExt, is_permanent};

/// Any error, boxed: what a layer's service returns.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What a handler returns when it may fail.
pub type Result<T, E = HandlerError> = std::result::Result<T, E>;

/// Why a handler failed. Whatever converts into a boxed error becomes one with `?`.
///
/// An error, or one in its chain of sources, may be marked
/// [permanent](HandlerError::permanent): trying again cannot help. Then the message is a dead letter
/// at once; else it is tried again as its handler's [`Retry`](crate::policy::Retry) says.
///
/// ```
/// use framework::prelude::*;
///
/// fn parse(text: &str) -> framework::Result<i64> {
///     let cents = text.parse::<i64>()?;
///     if cents > 10_000 {
///         return Err(HandlerError::permanent("over the limit"));
///     }
///     Ok(cents)
/// }
/// assert!(!parse("ten").unwrap_err().is_permanent());
/// assert!(parse("10001").unwrap_err().is_permanent());
/// ```
///
/// Like `anyhow::Error` it does not implement [`std::error::Error`], or `?` could not take
/// every other error; [`into_boxed`](HandlerError::into_boxed) gives one that does.
pub struct HandlerError(BoxError);

impl HandlerError {
    /// An error of that text (or that error), marked: trying again cannot help.
    pub fn permanent(error: impl Into<BoxError>) -> Self {
        HandlerError(Permanent::new(error.into()).into())
    }

    /// Whether this error, or one in its chain of sources, is marked permanent.
    pub fn is_permanent(&self) -> bool {
        is_permanent(&*self.0)
    }

    /// The error as a trait object: for reading its chain of sources.
    pub fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }

    /// The error as tower's services return it.
    pub fn into_boxed(self) -> BoxError {
        self.0
    }
}

impl<E: Into<BoxError>> From<E> for HandlerError {
    fn from(error: E) -> Self {
        HandlerError(error.into())
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The error and its causes, a line each, for this is what a failed test or `main` prints.
impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return self.0.fmt(f);
        }
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, "\n  caused by: {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_passes_the_question_mark() {
        fn of_io() -> Result<()> {
            Err(std::io::Error::other("disk"))?
        }
        fn of_anyhow() -> Result<()> {
            Err(anyhow::anyhow!("any").context("more"))?
        }
        fn of_text() -> Result<()> {
            Err("text")?
        }
        assert_eq!(of_io().unwrap_err().to_string(), "disk");
        assert_eq!(format!("{:?}", of_anyhow().unwrap_err()), "more\n  caused by: any");
        assert_eq!(of_text().unwrap_err().into_boxed().to_string(), "text");
    }
}
