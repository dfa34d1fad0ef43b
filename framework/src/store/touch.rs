//! What an entry does to states.

use std::sync::Arc;

use crate::delivery::StateValue;
use crate::outcome::StateChange;
use crate::stream::Key;

/// A state that is set or removed by an operator, whatever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSet {
    /// The state's name.
    pub name: Arc<str>,
    /// The key.
    pub key: Key,
    /// The version that it has to have, if it matters; 0: there is none. One that was deleted and
    /// made anew may have it again.
    pub expected: Option<u64>,
    /// Its value from here on; `None`: it is removed.
    pub value: Option<StateValue>,
}

/// One state that an outcome has read.
#[derive(Clone, Debug)]
pub struct StateTouch {
    /// The state's name.
    pub name: Arc<str>,
    /// The key.
    pub key: Key,
    /// The version that was read; 0 if there was none.
    pub read: u64,
    /// What became of it. A put makes version `read + 1`.
    pub change: StateChange,
}
