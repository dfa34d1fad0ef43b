//! What the store refers to, held against the app.

use std::sync::Arc;

use super::StartError;
use crate::store::{Catalog, Found, Renames};
use crate::wiring::Wiring;

/// The names that the app's stored data will refer to.
pub(crate) fn catalog(wiring: &Wiring) -> Catalog {
    let types = wiring.routes.iter().flat_map(|(topic, types)| {
        let mut types: Vec<_> =
            types.keys().map(|name| (Arc::clone(topic), name.clone())).collect();
        types.sort();
        types
    });
    Catalog {
        handlers: wiring.handlers.iter().map(|handler| Arc::clone(&handler.name)).collect(),
        states: wiring.states.clone(),
        types: types.collect(),
    }
}

/// Checks that nothing the store refers to is missing from the app.
pub(crate) fn check_found(
    found: &Found,
    app: &Catalog,
    renames: &Renames,
) -> Result<(), StartError> {
    let renamed = |pairs: &[(Arc<str>, Option<Arc<str>>)], name: &Arc<str>| {
        pairs.iter().any(|(old, _)| old == name)
    };
    for handler in &found.unfinished {
        if !app.handlers.contains(handler) && !renamed(&renames.handlers, handler) {
            return Err(StartError::UnknownHandler { handler: Arc::clone(handler) });
        }
    }
    for state in &found.catalog.states {
        if !app.states.contains(state) && !renamed(&renames.states, state) {
            return Err(StartError::UnknownState { state: Arc::clone(state) });
        }
    }
    Ok(())
}
