//! States as they are stored, whatever their type: an operator's view, and what can be done about
//! one that no handler can read.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::dead_letters::{Body, Page};
use crate::delivery::StateValue;
use crate::operator::{Act, Desk, OperatorError};
use crate::state::{STATE_BYTES_MAX, StateSpec};
use crate::store::{StateSet, StoredState};
use crate::stream::{Key, check_key};

mod chosen;
mod problem;

pub use chosen::{KeyFilter, NewState};

/// How many states a list has, unless its filter says.
const PAGE_LISTED: usize = 100;

/// How many states are read at a time; each may have a mebibyte.
const PAGE: usize = 64;

/// How many names an error lists.
const NAMED_MAX: usize = 20;

/// The states of a service as JSON, by their names and keys. A clone is the same handle.
///
/// What is set or removed here is an item of the key's lane: it takes effect when nothing of that
/// key runs, before what has not begun, and also where a dead letter closes the lane. So a state
/// that no handler can read is mended, and what waits behind it is handled on the mended one:
///
/// ```no_run
/// use framework::raw_states::NewState;
/// # use framework::Service;
///
/// # async fn mend(service: &Service) -> Result<(), Box<dyn std::error::Error>> {
/// let states = service.raw_states();
/// let Some(found) = states.get("account", "ada").await? else { return Ok(()) };
/// println!("{}: {:?}", found.json, found.problem);
/// let mended = NewState::json(r#"{"balance":50}"#).expected(found.version);
/// states.set("account", "ada", mended).await?;
/// service.dead_letters().replay(framework::dead_letters::Filter::new().key("ada")).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RawStates {
    pub(crate) desk: Arc<Desk>,
}

/// A state's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StateName {
    /// The name.
    pub name: Arc<str>,
    /// The version of the type that the service has for it; `None` if no handler takes it, or no
    /// service runs.
    pub type_version: Option<u32>,
}

/// A state as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RawEntry {
    /// The key.
    pub key: Key,
    /// The version of the type that wrote it.
    pub type_version: u32,
    /// Bytes of its JSON.
    pub bytes: u64,
    /// Why it cannot be read, if it cannot; with no service running that is known of its JSON
    /// alone, and not of its type.
    pub problem: Option<String>,
}

/// A state as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RawState {
    /// Its name.
    pub name: Arc<str>,
    /// The key.
    pub key: Key,
    /// How often it was written since it began: what [`NewState::expected`] takes. One that is
    /// removed and begins anew is at 1 again.
    pub version: u64,
    /// The version of the type that wrote it.
    pub type_version: u32,
    /// Its JSON, byte for byte; in hexadecimal digits where it is no text.
    pub json: Body,
    /// Why it cannot be read, if it cannot; see [`RawEntry::problem`].
    pub problem: Option<String>,
}

impl RawStates {
    /// The names of all states that the service has, or has values of, in their order.
    pub async fn names(&self) -> Result<Vec<StateName>, OperatorError> {
        let mut names = self.desk.reader.state_names().await?;
        names.extend(self.desk.states.iter().map(|spec| Arc::from(spec.name)));
        names.sort();
        names.dedup();
        let version = |name: &str| self.specs(name).map(|spec| spec.version).max();
        let named = |name: Arc<str>| StateName { type_version: version(&name), name };
        Ok(names.into_iter().map(named).collect())
    }

    /// The keys that have a state of that name, in their order.
    pub async fn list(
        &self,
        name: &str,
        filter: &KeyFilter,
    ) -> Result<Page<RawEntry, String>, OperatorError> {
        let name = self.known(name).await?;
        let most = filter.limit.unwrap_or(PAGE_LISTED);
        let prefix = filter.prefix.as_deref().unwrap_or_default();
        let mut after = filter.after.clone();
        let mut items = Vec::new();
        if !prefix.is_empty() && after.as_deref().is_none_or(|after| after < prefix) {
            // What lies behind a place begins after the prefix itself.
            let key: Key = prefix.into();
            if let Some(value) = self.stored(&name, &key).await?.value {
                items.push(self.entry(&name, Arc::clone(&key), &value));
            }
            after = Some(key);
        }
        loop {
            let page = self.desk.reader.scan(Arc::clone(&name), after.clone(), PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(Page { items, next: None }) };
            after = Some(Arc::clone(last));
            for (key, value) in &page {
                if !key.starts_with(prefix) {
                    return Ok(Page { items, next: None });
                }
                if items.len() >= most {
                    let next = items.last().map(|last: &RawEntry| last.key.to_string());
                    return Ok(Page { items, next });
                }
                items.push(self.entry(&name, Arc::clone(key), value));
            }
        }
    }

    /// A state as it is stored; `None` if the key has none. One that cannot be read is shown all
    /// the same, with what is wrong.
    pub async fn get(&self, name: &str, key: &str) -> Result<Option<RawState>, OperatorError> {
        let (name, key) = (self.known(name).await?, Key::from(key));
        let StoredState { version, value } = self.stored(&name, &key).await?;
        let Some(value) = value else { return Ok(None) };
        let problem = problem::of(self.specs(&name), &value);
        let (type_version, json) = (value.schema, Body::of(&value.json));
        Ok(Some(RawState { name, key, version, type_version, json, problem }))
    }

    /// Gives a key a state: returns when that is durable. It waits until nothing of the key runs.
    ///
    /// Errors: [`OperatorError::Refused`] if there is no state of that name, if it is no JSON, has
    /// more than 1 MiB, cannot be read as the type that a handler takes, or if the state has
    /// another version than is expected.
    pub async fn set(
        &self,
        name: &str,
        key: &str,
        state: impl Into<NewState> + Send,
    ) -> Result<(), OperatorError> {
        let NewState { json, type_version, expected } = state.into();
        let (name, key) = (self.known(name).await?, Key::from(key));
        check_key(&key).map_err(|error| OperatorError::refused(error.to_string()))?;
        let json = json.trim();
        if json.len() > STATE_BYTES_MAX {
            return Err(OperatorError::refused(format!(
                "it has {} bytes of JSON, {STATE_BYTES_MAX} is the limit of a state: keep what \
                 grows under keys of its own, or outside",
                json.len()
            )));
        }
        let schema = match type_version {
            Some(0) => {
                return Err(OperatorError::refused(
                    "the first version of a state's type is 1: there is no version 0",
                ));
            }
            Some(version) => version,
            None => self.type_version(&name, &key).await?,
        };
        let value = StateValue { schema, json: json.to_owned().into() };
        if let Some(problem) = problem::of_new(self.specs(&name), &value) {
            return Err(OperatorError::refused(format!("{problem}. Nothing was changed")));
        }
        let set = StateSet { name, key, expected, value: Some(value) };
        match self.change(set.clone()).await? {
            true => Ok(()),
            false => Err(self.conflict(&set).await?),
        }
    }

    /// Takes a key's state away: returns when that is durable; whether there was one. A handler
    /// sees none then, or its type's default.
    ///
    /// Errors: [`OperatorError::Refused`] if there is no state of that name, or if the state has
    /// another version than is expected.
    pub async fn remove(
        &self,
        name: &str,
        key: &str,
        expected: Option<u64>,
    ) -> Result<bool, OperatorError> {
        let (name, key) = (self.known(name).await?, Key::from(key));
        check_key(&key).map_err(|error| OperatorError::refused(error.to_string()))?;
        let set = StateSet { name, key, expected, value: None };
        if self.change(set.clone()).await? {
            return Ok(true);
        }
        match expected {
            None | Some(0) => Ok(false),
            Some(_) => Err(self.conflict(&set).await?),
        }
    }

    async fn change(&self, set: StateSet) -> Result<bool, OperatorError> {
        let done = self.desk.operate.act(Act::SetState(Box::new(set))).await?;
        Ok(done.first() == Some(&crate::operator::Fate::Done))
    }

    async fn conflict(&self, set: &StateSet) -> Result<OperatorError, OperatorError> {
        let found = self.stored(&set.name, &set.key).await?.version;
        let expected = set.expected.unwrap_or(0);
        Ok(OperatorError::refused(format!(
            "the state {:?} of key {:?} has version {found}, and not {expected} as is expected: \
             look at it again. Nothing was changed",
            set.name, set.key
        )))
    }

    async fn stored(&self, name: &Arc<str>, key: &Key) -> Result<StoredState, OperatorError> {
        let keys = vec![(Arc::clone(name), Arc::clone(key))];
        Ok(self.desk.reader.states(keys).await?.into_iter().next().unwrap_or_default())
    }

    fn entry(&self, name: &str, key: Key, value: &StateValue) -> RawEntry {
        let problem = problem::of(self.specs(name), value);
        let bytes = value.json.len() as u64;
        RawEntry { key, type_version: value.schema, bytes, problem }
    }

    fn specs(&self, name: &str) -> impl Iterator<Item = &StateSpec> {
        self.desk.states.iter().filter(move |spec| spec.name == name)
    }

    /// The version of the type for which a new value is meant, if nobody says it.
    async fn type_version(&self, name: &Arc<str>, key: &Key) -> Result<u32, OperatorError> {
        if let Some(version) = self.specs(name).map(|spec| spec.version).max() {
            return Ok(version);
        }
        match self.stored(name, key).await?.value {
            Some(value) => Ok(value.schema),
            None => Err(OperatorError::refused(format!(
                "nobody knows for which version of its type this state {name:?} is: no service \
                 runs that takes it, and the key has none; say it (`--type-version`)"
            ))),
        }
    }

    /// The name, if there is a state of that name.
    async fn known(&self, name: &str) -> Result<Arc<str>, OperatorError> {
        let names = self.names().await?;
        if let Some(found) = names.iter().find(|found| &*found.name == name) {
            return Ok(Arc::clone(&found.name));
        }
        let listed: Vec<&str> = names.iter().take(NAMED_MAX).map(|found| &*found.name).collect();
        Err(OperatorError::refused(match listed.as_slice() {
            [] => format!("there is no state {name:?}, and no other: no handler takes one"),
            _ => format!("there is no state {name:?}; there are: {}", listed.join(", ")),
        }))
    }
}
