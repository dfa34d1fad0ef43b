//! States: what a handler remembers of a key, as it is stored and read again.

use std::any::TypeId;

use crate::delivery::StateValue;
use crate::error::BoxError;
use crate::message::Unwritable;
use crate::message::json::{self, ReadBack};
use crate::outcome::StateChange;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use endwise_macros::State;
pub use serde_json::Value;

/// The largest state of a key, in bytes of JSON. A handler that makes a larger one fails.
pub const STATE_BYTES_MAX: usize = 1 << 20;

/// A state: what a handler remembers of each key.
///
/// A handler takes it by `&mut S` (then it needs [`Default`], the value of a key that has none
/// yet), or by `&mut Option<S>`, which has a life cycle: `Some` starts it, `take()` ends it.
///
/// ```
/// use framework::prelude::*;
///
/// #[derive(State, Default, Serialize, Deserialize)]
/// #[state(name = "account")]
/// struct Account {
///     balance: i64,
/// }
/// assert_eq!((Account::NAME, Account::VERSION), ("account", 1));
/// ```
///
/// `#[derive(State)]` takes, in `#[state(..)]`:
/// - `name = "..."`: its name in stored data; unless given, the Rust name. Give it before you
///   rename the Rust type.
/// - `version = 2, upcast = function`: see below.
///
/// # Versions
/// A state is stored as JSON with the version of the type that wrote it. Raise the version when
/// what is stored can no longer be read as the new type, and say how it gets there: `upcast`
/// takes the version and the value as stored, and gives the value of the *next* version. It is
/// called until the current one is reached, so each change is written once and kept.
///
/// ```
/// use framework::error::BoxError;
/// use framework::prelude::*;
/// use serde_json::{Value, json};
///
/// #[derive(State, Default, Serialize, Deserialize)]
/// #[state(name = "account", version = 2, upcast = upcast)]
/// struct Account {
///     cents: i64,
/// }
///
/// fn upcast(from: u32, old: Value) -> Result<Value, BoxError> {
///     match from {
///         // Version 1 counted whole euros.
///         1 => Ok(json!({ "cents": old["euros"].as_i64().ok_or("no euros")? * 100 })),
///         other => Err(format!("there was no version {other}").into()),
///     }
/// }
/// assert_eq!(Account::upcast(1, json!({ "euros": 5 }))?, json!({ "cents": 500 }));
/// # Ok::<(), BoxError>(())
/// ```
///
/// A value of a newer version than the code's is an error: an older program must not write
/// over what it cannot read.
///
/// What could not be read again is not stored, and the attempt that makes it fails: numbers that
/// are not finite, maps whose keys are floating-point numbers, more than 127 levels of arrays and
/// objects, and values that the type's own `Deserialize` does not read.
///
/// A state that a handler leaves as it was is not written. That is seen by its JSON, so prefer
/// `BTreeMap` to `HashMap`, whose order differs from run to run.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a state",
    label = "not a state",
    note = "write `#[derive(State, Default, Serialize, Deserialize)]` above the type"
)]
pub trait State: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name in stored data.
    const NAME: &'static str;
    /// The version of its stored form; the first is 1.
    const VERSION: u32;

    /// The value of version `from + 1`, made of one of version `from`.
    fn upcast(from: u32, old: Value) -> Result<Value, BoxError>;
}

/// A state as a handler's specification names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct StateSpec {
    /// [`State::NAME`].
    pub name: &'static str,
    /// [`State::VERSION`].
    pub version: u32,
    type_id: TypeId,
    calls: Calls,
}

/// What a state's type can be asked. It is part of no comparison: the type is.
#[derive(Clone, Copy)]
struct Calls {
    /// Reads a stored value as the type.
    check: fn(&StateValue) -> Result<(), StateError>,
    /// The type's path.
    type_name: fn() -> &'static str,
}

impl std::fmt::Debug for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str((self.type_name)())
    }
}

impl PartialEq for Calls {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Calls {}

impl std::hash::Hash for Calls {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

impl StateSpec {
    /// The specification of that state.
    pub const fn of<S: State>() -> Self {
        let check = |stored: &_| decode::<S>(stored).map(|_| ());
        let calls = Calls { check, type_name: std::any::type_name::<S> };
        StateSpec { name: S::NAME, version: S::VERSION, type_id: TypeId::of::<S>(), calls }
    }

    /// Whether both are of one Rust type.
    pub(crate) fn is_same_type(&self, other: &StateSpec) -> bool {
        self.type_id == other.type_id
    }

    /// The path of the Rust type, for people.
    pub(crate) fn type_name(&self) -> &'static str {
        (self.calls.type_name)()
    }

    /// Whether a stored value can be read as this state.
    pub(crate) fn check(&self, stored: &StateValue) -> Result<(), StateError> {
        (self.calls.check)(stored)
    }
}

/// Reads a stored state, of an older version too.
pub(crate) fn decode<S: State>(stored: &StateValue) -> Result<S, StateError> {
    let (state, found) = (S::NAME, stored.schema);
    if found == S::VERSION {
        return serde_json::from_slice(&stored.json).map_err(|source| StateError::Json {
            state,
            found,
            source,
        });
    }
    if found > S::VERSION {
        return Err(StateError::Newer { state, found, current: S::VERSION });
    }
    let json = |source| StateError::Json { state, found, source };
    let mut value: Value = serde_json::from_slice(&stored.json).map_err(json)?;
    for from in found..S::VERSION {
        value =
            S::upcast(from, value).map_err(|source| StateError::Upcast { state, from, source })?;
    }
    serde_json::from_value(value).map_err(json)
}

/// A state as it is compared with what a handler makes of it; it is not stored so.
pub(crate) fn comparable<S: State>(value: &S) -> Result<StateValue, StateError> {
    let json = json::comparable(value).map_err(unwritable::<S>)?;
    fitting::<S>(StateValue { schema: S::VERSION, json })
}

/// A state as it will be stored.
fn encode<S: State>(value: &S) -> Result<StateValue, StateError> {
    let json = json::encode(value).map_err(unwritable::<S>)?;
    fitting::<S>(StateValue { schema: S::VERSION, json })
}

fn fitting<S: State>(value: StateValue) -> Result<StateValue, StateError> {
    match value.json.len() {
        bytes if bytes > STATE_BYTES_MAX => Err(StateError::TooLarge { state: S::NAME, bytes }),
        _ => Ok(value),
    }
}

/// What became of a state that was stored as `before`. Without a count of what is read back,
/// everything is.
pub(crate) fn change<S: State>(
    value: Option<&S>,
    before: Option<&StateValue>,
    read_back: Option<&ReadBack>,
) -> Result<StateChange, StateError> {
    let Some(value) = value else {
        return Ok(before.map_or(StateChange::Same, |_| StateChange::Delete));
    };
    let Some(new) = changed(value, before.filter(|before| before.schema == S::VERSION))? else {
        return Ok(StateChange::Same);
    };
    if read_back.is_none_or(ReadBack::is_due::<S>)
        && let Err(error) = serde_json::from_slice::<S>(&new.json)
    {
        let problem = json::unread(value, &error);
        return Err(StateError::Unreadable { state: S::NAME, problem });
    }
    Ok(StateChange::Put(new))
}

/// What is to be stored, if it is not what was before.
fn changed<S: State>(
    value: &S,
    before: Option<&StateValue>,
) -> Result<Option<StateValue>, StateError> {
    let Some(before) = before else { return encode(value).map(Some) };
    match json::encode_changed(value, &before.json) {
        Ok(json) => {
            json.map(|json| fitting::<S>(StateValue { schema: S::VERSION, json })).transpose()
        }
        // A default that has no JSON, and that the handler left alone.
        Err(_) if json::comparable(value).is_ok_and(|same| same == before.json) => Ok(None),
        Err(error) => Err(unwritable::<S>(error)),
    }
}

fn unwritable<S: State>(problem: Unwritable) -> StateError {
    StateError::Unwritable { state: S::NAME, problem }
}

/// Why a stored state cannot be read, or a state cannot be stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Its JSON does not fit the type.
    #[error(
        "state `{state}` is stored (version {found}) in a form that its type does not read: \
         give new fields `#[serde(default)]`, or raise the version and say how to `upcast`"
    )]
    Json {
        /// The state's name.
        state: &'static str,
        /// The version that is stored.
        found: u32,
        /// What serde says.
        source: serde_json::Error,
    },
    /// A newer program wrote it.
    #[error(
        "state `{state}` is stored with version {found}, and this program knows only up to \
         {current}: run the newer program"
    )]
    Newer {
        /// The state's name.
        state: &'static str,
        /// The version that is stored.
        found: u32,
        /// The version that this program writes.
        current: u32,
    },
    /// Its `upcast` failed.
    #[error("state `{state}`: the upcast from version {from} to the next failed")]
    Upcast {
        /// The state's name.
        state: &'static str,
        /// The version that it started from.
        from: u32,
        /// What it says.
        source: BoxError,
    },
    /// It is too large.
    #[error(
        "state `{state}` has {bytes} bytes of JSON, more than {STATE_BYTES_MAX}: keep what grows \
         under keys of its own, or outside"
    )]
    TooLarge {
        /// The state's name.
        state: &'static str,
        /// Its size.
        bytes: usize,
    },
    /// It has no JSON, or none that could be read back.
    #[error("state `{state}`, {problem}; it cannot be stored as JSON")]
    Unwritable {
        /// The state's name.
        state: &'static str,
        /// What is wrong, and where.
        problem: Unwritable,
    },
    /// What its type's `Serialize` writes, its `Deserialize` does not read.
    #[error(
        "state `{state}` is not stored, for its type could not read it back: {problem}; let both \
         halves of serde agree on the form"
    )]
    Unreadable {
        /// The state's name.
        state: &'static str,
        /// What serde says, or which field it is.
        problem: Box<str>,
    },
}

/// A handler's state could not be read or stored: the delivery fails.
///
/// Found in the [`BoxError`] of a delivery by `error.downcast_ref::<InvalidState>()`. Trying
/// again does not help: the value stays as it is.
#[derive(Debug, thiserror::Error)]
#[error("handler `{handler}`, key `{key}`")]
#[non_exhaustive]
pub struct InvalidState {
    /// The handler.
    pub handler: String,
    /// The key whose state it is.
    pub key: String,
    /// The state and what is wrong with it.
    pub source: StateError,
}
