//! What a handler asks for on failure: complete, and checked.

use std::time::Duration;

use super::StartError;
use crate::handler::Entry;
use crate::policy::{Level, OnFailure, Order};

/// What happens when that handler fails, from what it, its group and the app say.
pub(super) fn on_failure(entry: &Entry, app: &Level) -> Result<OnFailure, StartError> {
    let (spec, policy) = (entry.spec(), entry.on_failure(app));
    let (handler, location) = (spec.name, spec.location);
    if spec.gap.is_some() && spec.order == Order::None {
        return Err(StartError::GapWithoutOrder { handler, location });
    }
    match problem(&policy) {
        None => Ok(policy),
        Some(problem) => Err(StartError::OnFailure { handler, location, problem: problem.into() }),
    }
}

fn problem(policy: &OnFailure) -> Option<String> {
    let OnFailure { attempts, min, max, timeout, crashes, .. } = policy;
    if *attempts == 0 {
        return Some("retry's attempts are 0: say 1 for no retry".into());
    }
    if min.is_zero() {
        return Some("retry's min is zero, which would leave it no pause: say 1 ms or more".into());
    }
    if min > max {
        let why =
            format!("retry's min, {min:?}, is longer than its max, {max:?}: say both on one level");
        return Some(why);
    }
    if *timeout == Duration::ZERO {
        return Some("its timeout is zero: say how long an attempt may take".into());
    }
    (*crashes == 0).then(|| "its crashes are 0: say 1 or more".into())
}
