//! The environment: `ENDWISE_LIMITS_IN_FLIGHT_MAX` is `in_flight_max` of `[limits]`.

use std::ffi::OsString;

use super::Config;
use super::error::{ConfigError, Place};
use super::keys::{KEYS, Places, nearest};
use super::value::{Found, Wrong};

/// The variables that begin with `ENDWISE_`, by name.
pub(super) type Variables = Vec<(String, OsString)>;

/// What every variable of the framework begins with.
const PREFIX: &str = "ENDWISE_";

/// The variable that names the file.
pub(super) const FILE: &str = "ENDWISE_CONFIG";

/// Variables that begin like the others and are none of the configuration: the one that names the
/// file, and those that the project's own tests read.
const OTHERS: [&str; 4] = [FILE, "ENDWISE_HISTORIES", "ENDWISE_LOG", "ENDWISE_SEED"];

/// Those of a process's variables that are meant for the framework, in the order of their names.
pub(super) fn variables(all: impl Iterator<Item = (OsString, OsString)>) -> Variables {
    let ours = all.filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(PREFIX))?;
        Some((name, value))
    });
    let mut ours: Variables = ours.collect();
    ours.sort();
    ours
}

/// Sets what the variables say; which keys that were.
pub(super) fn apply(config: &mut Config, variables: &Variables) -> Result<Places, ConfigError> {
    let mut places = Places::new();
    for (name, value) in variables.iter().filter(|(name, _)| !OTHERS.contains(&&**name)) {
        let place = Place::Variable(name.clone());
        let Some(key) = KEYS.iter().find(|key| key.variable() == *name) else {
            return Err(unknown(name, place));
        };
        let found = Found::Text(value);
        (key.set)(config, found).map_err(|Wrong(allowed)| {
            let found = key.seen(found, || format!("{value:?}"));
            ConfigError::Value { place: place.clone(), key: key.full(), found, allowed }
        })?;
        places.insert(key.full(), place);
    }
    Ok(places)
}

/// A variable that nothing reads. There are too many others to list them.
fn unknown(name: &str, place: Place) -> ConfigError {
    let all: Vec<String> = KEYS.iter().map(|key| key.variable()).collect();
    // What they have in common makes none of them near.
    let own = |name: &str| name.strip_prefix(PREFIX).unwrap_or_default().to_owned();
    let owns: Vec<String> = all.iter().map(|known| own(known)).collect();
    let nearest = nearest(&own(name), owns.iter().map(|known| &**known));
    let nearest = nearest.map(|nearest| format!("{PREFIX}{nearest}"));
    ConfigError::Unknown { place, what: "it".into(), nearest, known: Vec::new() }
}
