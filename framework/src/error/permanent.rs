//! The mark that says: trying again cannot help.

use std::error::Error;
use std::fmt;

use super::{BoxError, HandlerError, Result};

/// An error that is marked permanent: trying again cannot help.
///
/// It reads like the error that it marks. Its source is the mark, whose source is the marked
/// error's: two links, because a library that boxes errors in a type of its own (anyhow does)
/// hides the type of the first.
#[derive(Debug)]
pub struct Permanent(Mark);

#[derive(Debug)]
struct Mark(BoxError);

impl Permanent {
    pub(super) fn new(error: BoxError) -> Self {
        Permanent(Mark(error))
    }

    /// The error that is marked.
    pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0.0
    }
}

impl fmt::Display for Permanent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.0.fmt(f)
    }
}

impl Error for Permanent {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("marked permanent, so it is not tried again")
    }
}

impl Error for Mark {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// Whether this error, or one in its chain of sources, is marked permanent.
///
/// ```
/// use framework::error::is_permanent;
/// use framework::prelude::*;
///
/// let error = std::io::Error::other("no such account");
/// assert!(!is_permanent(&error));
/// assert!(is_permanent(&error.permanent()));
/// ```
pub fn is_permanent(error: &(dyn Error + 'static)) -> bool {
    let mut link = Some(error);
    while let Some(error) = link {
        if error.is::<Permanent>() || error.is::<Mark>() {
            return true;
        }
        link = error.source();
    }
    false
}

/// Whether this link of a chain is the mark itself, and says nothing else.
pub(crate) fn is_mark(error: &(dyn Error + 'static)) -> bool {
    error.is::<Mark>()
}

/// Marks an error as permanent.
pub trait ErrorExt {
    /// This error, marked: for the message that caused it, trying again cannot help.
    ///
    /// ```
    /// use framework::prelude::*;
    ///
    /// fn parse(text: &str) -> framework::Result<i64> {
    ///     text.parse::<i64>().map_err(|error| error.permanent().into())
    /// }
    /// assert!(parse("ten").unwrap_err().is_permanent());
    /// ```
    fn permanent(self) -> Permanent;
}

impl<E: Into<HandlerError>> ErrorExt for E {
    fn permanent(self) -> Permanent {
        Permanent::new(self.into().into_boxed())
    }
}

/// Marks the error of a result as permanent.
pub trait ResultExt<T> {
    /// This result, its error marked: for the message that caused it, trying again cannot help.
    ///
    /// ```
    /// use framework::prelude::*;
    ///
    /// fn parse(text: &str) -> framework::Result<i64> {
    ///     Ok(text.parse::<i64>().permanent()?)
    /// }
    /// assert!(parse("ten").unwrap_err().is_permanent());
    /// ```
    fn permanent(self) -> Result<T, Permanent>;
}

impl<T, E: Into<HandlerError>> ResultExt<T> for Result<T, E> {
    fn permanent(self) -> Result<T, Permanent> {
        self.map_err(ErrorExt::permanent)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the bank refused")]
    struct BankError(#[source] Permanent);

    #[test]
    fn a_mark_is_found_wherever_it_stands_in_the_chain() {
        let io = || std::io::Error::other("disk");
        let found = [
            HandlerError::permanent("over the limit"),
            io().permanent().into(),
            BankError(io().permanent()).into(),
            // anyhow hides the type of what stands first in a boxed chain.
            anyhow::Error::from(io().permanent()).into(),
            anyhow::Error::from(io().permanent()).context("while charging").into(),
            anyhow::Error::from(BankError(io().permanent())).context("while charging").into(),
            anyhow::anyhow!("any").permanent().into(),
            HandlerError::from(io()).permanent().into(),
            Err::<(), _>(io()).permanent().unwrap_err().into(),
            Err::<(), _>(io()).permanent().context("while charging").unwrap_err().into(),
        ];
        for (case, error) in found.iter().enumerate() {
            assert!(error.is_permanent(), "case {case}: {error:?}");
        }
        assert!(!HandlerError::from(io()).is_permanent());
        assert!(!HandlerError::from(anyhow::anyhow!("any").context("more")).is_permanent());
    }

    #[test]
    fn a_marked_error_reads_like_the_one_it_marks() {
        let error = HandlerError::permanent(BankError("no cover".permanent()));
        assert_eq!(error.to_string(), "the bank refused");
        assert!(format!("{error:?}").ends_with(
            "caused by: no cover\n  caused by: marked permanent, so it is not tried again"
        ));
    }
}
