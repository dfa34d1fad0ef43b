//! What is wrong with a stored state.

use serde_json::Value;

use crate::delivery::StateValue;
use crate::state::{StateError, StateSpec};

/// Why a stored value cannot be read: as one of these types, or, without any, as JSON.
pub(super) fn of<'a>(
    specs: impl Iterator<Item = &'a StateSpec>,
    value: &StateValue,
) -> Option<String> {
    if let Some(problem) = of_json(value) {
        return Some(problem);
    }
    let mut problems = specs.filter_map(|spec| spec.check(value).err());
    problems.next().map(|error| chain(&error))
}

/// The same of a value that is to be stored, for the one who wrote it.
pub(super) fn of_new<'a>(
    specs: impl Iterator<Item = &'a StateSpec>,
    value: &StateValue,
) -> Option<String> {
    if let Some(problem) = of_json(value) {
        return Some(problem);
    }
    let mut problems = specs.filter_map(|spec| spec.check(value).err());
    problems.next().map(|error| match error {
        StateError::Json { state, source, .. } => {
            format!("the type of state {state:?} does not read this JSON: {source}")
        }
        StateError::Newer { state, found, current } => format!(
            "the type of state {state:?} is of version {current}, and does not read this JSON, \
             which is said to be of version {found}"
        ),
        error => chain(&error),
    })
}

fn of_json(value: &StateValue) -> Option<String> {
    let error = serde_json::from_slice::<Value>(&value.json).err()?;
    Some(format!("this is not valid JSON: {error}"))
}

fn chain(error: &dyn std::error::Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::state::State;

    #[derive(State, Serialize, Deserialize)]
    #[state(name = "account")]
    struct Account {
        cents: i64,
    }

    #[test]
    fn a_value_is_read_as_json_and_as_the_type_where_that_is_known() {
        let value = |json: &str| StateValue { schema: 1, json: json.to_owned().into() };
        let spec = StateSpec::of::<Account>();
        let with = |json: &str| of([spec].iter(), &value(json)).unwrap_or_default();
        assert_eq!(with(r#"{"cents":5}"#), "");
        assert!(with(r#"{"euros":5}"#).contains("missing field `cents`"));
        assert!(with("{\"cents\":").contains("this is not valid JSON"));
        assert_eq!(of([].iter(), &value(r#"{"euros":5}"#)), None);
        let new = |json: &str| of_new([spec].iter(), &value(json)).unwrap_or_default();
        assert_eq!(new(r#"{"cents":5}"#), "");
        let said = "the type of state \"account\" does not read this JSON: invalid type: string";
        assert!(new(r#"{"cents":"x"}"#).starts_with(said), "{}", new(r#"{"cents":"x"}"#));
        let newer = StateValue { schema: 2, json: r#"{"cents":5}"#.into() };
        assert!(of([spec].iter(), &newer).unwrap_or_default().contains("run the newer program"));
        assert!(of_new([spec].iter(), &newer).unwrap_or_default().contains("is of version 1, and"));
    }
}
