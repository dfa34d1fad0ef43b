//! Text that must not be seen.

use std::fmt;

/// A password, or a URL that may hold one: printed, it is four stars. It cannot be serialized.
///
/// ```
/// use framework::Secret;
/// let secret = Secret::new("amqp://guest:1234@broker");
/// assert_eq!(format!("{secret} {secret:?}"), "**** ****");
/// assert_eq!(secret.reveal(), "amqp://guest:1234@broker");
/// ```
///
/// ```compile_fail
/// # use framework::Secret;
/// serde_json::to_string(&Secret::new("1234"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// This text, from now on a secret.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Secret(text.into())
    }

    /// The text: for whoever has to use it, not for a log.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What comes before `://`, which tells nothing: all of it if there is none of that.
    pub(crate) fn scheme(&self) -> &str {
        self.0.split_once(':').map_or(&*self.0, |(scheme, _)| scheme)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
