//! Components: handlers that share a state, directly or through others.

use super::{StartError, check_order};
use crate::handler::Spec;

/// Each handler's component, by number. Computed at each start, never persisted.
pub(super) fn components(specs: &[&Spec]) -> Result<Vec<usize>, StartError> {
    let mut component: Vec<usize> = (0..specs.len()).collect();
    for (number, spec) in specs.iter().enumerate() {
        for (other_number, other) in specs.iter().enumerate().take(number) {
            if !share_a_state(spec, other) {
                continue;
            }
            if spec.order != other.order {
                return Err(StartError::UnlikeOrder { first: other.name, second: spec.name });
            }
            // The lanes are the component's, so whether one goes on behind a dead letter is too.
            if spec.gap.unwrap_or_default() != other.gap.unwrap_or_default() {
                return Err(StartError::UnlikeGap { first: other.name, second: spec.name });
            }
            let (old, new) = (component.get(number).copied(), component.get(other_number).copied());
            if let (Some(old), Some(new)) = (old, new) {
                component.iter_mut().filter(|c| **c == old).for_each(|c| *c = new);
            }
        }
    }
    specs.iter().try_for_each(|spec| check_order(spec))?;
    Ok(component)
}

fn share_a_state(one: &Spec, other: &Spec) -> bool {
    one.states.iter().any(|state| other.states.iter().any(|s| s.name == state.name))
}
