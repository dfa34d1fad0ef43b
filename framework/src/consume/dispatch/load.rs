//! What is read from the store before deliveries run.

use super::Loaded;
use crate::consume::lane::{Job, Run};
use crate::failure::RunError;
use crate::store::{Reader, StoreError, StoredState};
use crate::wiring::Wiring;

use std::sync::Arc;

/// Reads the messages that the store keeps.
pub(super) async fn messages(
    wiring: &Wiring,
    reader: &dyn Reader,
    runs: Vec<Run>,
) -> Result<Vec<Loaded>, RunError> {
    let numbers: Vec<u64> =
        runs.iter().flat_map(|run| &run.kept).map(|(number, _)| *number).collect();
    let mut found = if numbers.is_empty() {
        Vec::new().into_iter()
    } else {
        reader.kept_messages(numbers).await?.into_iter()
    };
    let load = |run: Run| {
        let Run { lane, number, kept, mut jobs, states, batch, condemned } = run;
        let mut loaded = Vec::with_capacity(kept.len());
        for (number, entry) in kept {
            let gone = || StoreError::failed(format!("kept delivery {number} is not there"));
            let message = found.next().flatten().ok_or_else(gone)?;
            loaded.push(Job {
                handler: entry.handler,
                envelope: wiring.with_own_key(message.envelope),
                handlers: message.handlers,
                number,
                is_suspect: entry.is_suspect,
                kept: Some(entry),
            });
        }
        loaded.into_iter().rev().for_each(|job| jobs.push_front(job));
        Ok(Loaded { lane, number, jobs, states, batch, condemned })
    };
    runs.into_iter().map(load).collect()
}

/// Reads the states that no outcome on its way has left.
pub(super) async fn states(
    wiring: &Wiring,
    reader: &dyn Reader,
    runs: &mut [Loaded],
) -> Result<(), RunError> {
    let (mut wanted, mut places) = (Vec::new(), Vec::new());
    for (index, run) in runs.iter_mut().enumerate() {
        // All jobs of a lane with states have its key.
        let Some(key) = run.jobs.front().and_then(|job| job.envelope.key.clone()) else { continue };
        for job in &run.jobs {
            for &state in wiring.handlers.get(job.handler).map_or(&[][..], |h| &h.states) {
                if run.states.iter().any(|(known, _)| *known == state) {
                    continue;
                }
                run.states.push((state, StoredState { version: 0, value: None }));
                let name = wiring.states.get(state).cloned().unwrap_or_default();
                wanted.push((name, Arc::clone(&key)));
                places.push((index, state));
            }
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    for ((index, state), found) in places.into_iter().zip(reader.states(wanted).await?) {
        let states = runs.get_mut(index).into_iter().flat_map(|run| &mut run.states);
        for (_, value) in states.filter(|(known, _)| *known == state) {
            *value = found.clone();
        }
    }
    Ok(())
}
