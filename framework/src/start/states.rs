//! The states that handlers take.

use std::collections::BTreeMap;

use super::StartError;
use crate::handler::Spec;
use crate::state::StateSpec;

/// Checks the states of each handler, and those of all together.
pub(super) fn check(specs: &[&Spec]) -> Result<(), StartError> {
    specs.iter().try_for_each(|spec| of_one(spec))?;
    of_all(specs)
}

fn of_one(spec: &Spec) -> Result<(), StartError> {
    let Spec { name: handler, location, type_name, .. } = *spec;
    for (index, state) in spec.states.iter().enumerate() {
        let state = state.name;
        if spec.states.iter().skip(index + 1).any(|other| other.name == state) {
            return Err(StartError::StateTwice { handler, location, state });
        }
        if !spec.keyed {
            return Err(StartError::StateWithoutKey { handler, location, state, type_name });
        }
    }
    Ok(())
}

/// A state's name stands for one Rust type: two would overwrite each other.
fn of_all(specs: &[&Spec]) -> Result<(), StartError> {
    let mut named: BTreeMap<&str, (&Spec, &StateSpec)> = BTreeMap::new();
    for spec in specs {
        for state in &spec.states {
            let (first, first_state) = *named.entry(state.name).or_insert((*spec, state));
            if !first_state.is_same_type(state) {
                let text = |spec: &Spec, state: &StateSpec| {
                    let (handler, location) = (spec.name, spec.location);
                    let type_name = state.type_name();
                    format!("{type_name} of handler {handler:?} ({location})").into()
                };
                let (first, second) = (text(first, first_state), text(spec, state));
                return Err(StartError::StateOfTwoTypes { state: state.name, first, second });
            }
        }
    }
    Ok(())
}
