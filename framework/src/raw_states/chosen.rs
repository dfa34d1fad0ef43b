//! Which states are meant, and what they are to be.

use crate::stream::Key;

/// Which keys are meant: those that fit all that is said. Nothing said: all.
///
/// ```
/// use framework::raw_states::KeyFilter;
/// let filter = KeyFilter::new().prefix("order-2026-").limit(20);
/// # let _ = filter;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyFilter {
    pub(super) prefix: Option<String>,
    pub(super) after: Option<Key>,
    pub(super) limit: Option<usize>,
}

impl KeyFilter {
    /// Lets everything through.
    pub fn new() -> Self {
        KeyFilter::default()
    }

    /// Those that begin so.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Those behind this one in the order of keys: to read a list on.
    #[must_use]
    pub fn after(mut self, key: impl Into<Key>) -> Self {
        self.after = Some(key.into());
        self
    }

    /// At most so many (default 100), the first ones first.
    #[must_use]
    pub fn limit(mut self, most: usize) -> Self {
        self.limit = Some(most);
        self
    }
}

/// A state that is to be stored.
///
/// ```
/// use framework::raw_states::NewState;
/// let state = NewState::json(r#"{"balance":50}"#).expected(7);
/// # let _ = state;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewState {
    pub(super) json: String,
    pub(super) type_version: Option<u32>,
    pub(super) expected: Option<u64>,
}

impl NewState {
    /// Of this JSON, which is stored as it is.
    pub fn json(json: impl Into<String>) -> Self {
        NewState { json: json.into(), type_version: None, expected: None }
    }

    /// It is meant for this version of its type, from which the type's `upcast` takes it on. Unless
    /// it is said: for the version that the service has, else for that of what is stored.
    #[must_use]
    pub fn type_version(mut self, version: u32) -> Self {
        self.type_version = Some(version);
        self
    }

    /// Only over this version of the state, as [`RawState::version`](super::RawState) says; 0: only
    /// if there is none. Unless it is said, over any.
    ///
    /// It tells apart what one life of a state has been. A state that ended and began anew meanwhile
    /// counts from 1 again, and is not told from the one that was looked at if it has come to the
    /// same version. Where that can be, have a handler make the change, by what is in the state.
    #[must_use]
    pub fn expected(mut self, version: u64) -> Self {
        self.expected = Some(version);
        self
    }
}

impl From<&str> for NewState {
    fn from(json: &str) -> Self {
        NewState::json(json)
    }
}
