//! Dispatch: runs deliveries. Lanes run side by side, a lane's deliveries one after the other,
//! each on the state that the one before it left.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures::FutureExt;
use futures::stream::{FuturesUnordered, StreamExt};
use tower::ServiceExt;

use super::lane::{Job, LaneId, Run};
use crate::delivery::Delivery;
use crate::envelope::Envelope;
use crate::envelope::attributes::SUBJECT;
use crate::envelope::digest::Covered;
use crate::error::{BoxError, HandlerError};
use crate::failure::{Cause, HandlerStopped, RunError};
use crate::handling::handling;
use crate::outcome::{Cancel, Outcome, Send as Message, StateChange};
use crate::queue::Queue;
use crate::store::{How, Reader, StateTouch, StoredState};
use crate::stream::{Key, Position};
use crate::wiring::{Wired, Wiring};

/// Messages that the runs of one task send, beyond which those that have not begun wait for the
/// next time: by then the loop knows what is to be sent.
const SENDS_MAX: usize = 4_096;

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) lane: LaneId,
    pub(crate) number: u64,
    /// What was handled, in order.
    pub(crate) handled: Vec<Handled>,
    /// What did not run any more.
    pub(crate) rest: VecDeque<Job>,
    pub(crate) states: Vec<(usize, StoredState)>,
    pub(crate) failure: Option<RunError>,
}

impl Ran {
    /// A run of which nothing was begun.
    fn none(run: Run) -> Self {
        let Run { lane, number, jobs: rest, states } = run;
        Ran { lane, number, handled: Vec::new(), rest, states, failure: None }
    }
}

/// One delivery with its outcome.
#[derive(Debug)]
pub(crate) struct Handled {
    pub(crate) job: Job,
    pub(crate) states: Vec<StateTouch>,
    pub(crate) cancels: Vec<Cancel>,
    pub(crate) sends: Vec<Message>,
}

/// Runs some lanes' runs side by side and hands each on when it has ended.
pub(crate) async fn dispatch(
    wiring: Arc<Wiring>,
    reader: Arc<dyn Reader>,
    mut runs: Vec<Run>,
    ended: Queue<Ran>,
) -> Result<(), RunError> {
    load(&wiring, &*reader, &mut runs).await?;
    let (mut at_once, waiting) = (Vec::with_capacity(runs.len()), FuturesUnordered::new());
    let mut sends = 0;
    for run in runs {
        if sends >= SENDS_MAX {
            at_once.push(Ran::none(run));
            continue;
        }
        let mut running = Box::pin(run_lane(Arc::clone(&wiring), run));
        // Most handlers never wait, and are done with the first look.
        match std::future::poll_fn(|cx| Poll::Ready(running.as_mut().poll(cx))).await {
            Poll::Ready(ran) => {
                sends += ran.handled.iter().map(|handled| handled.sends.len()).sum::<usize>();
                at_once.push(ran);
            }
            Poll::Pending => waiting.push(running),
        }
    }
    ended.push(at_once)?;
    let mut waiting = pin!(waiting.ready_chunks(64));
    while let Some(ran) = waiting.next().await {
        ended.push(ran)?;
    }
    Ok(())
}

/// Reads the states that no outcome on its way has left.
async fn load(wiring: &Wiring, reader: &dyn Reader, runs: &mut [Run]) -> Result<(), RunError> {
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

/// Runs a lane's jobs until the last, or until one fails.
async fn run_lane(wiring: Arc<Wiring>, run: Run) -> Ran {
    let Run { lane, number, mut jobs, mut states } = run;
    let mut handled = Vec::with_capacity(jobs.len());
    let (mut buffer, mut failure, mut sends) = (Vec::new(), None, 0);
    while sends < SENDS_MAX
        && let Some(job) = jobs.pop_front()
    {
        // A job's handler number comes from the wiring itself.
        let Some(handler) = wiring.handlers.get(job.handler) else { continue };
        match attempt(handler, &job, &states, &mut buffer).await {
            Ok(outcome) => {
                sends += outcome.sends.len();
                handled.push(take(&wiring, handler, job, outcome, &mut states));
            }
            Err(stopped) => {
                jobs.push_front(job);
                failure = Some(stopped);
                break;
            }
        }
    }
    Ran { lane, number, handled, rest: jobs, states, failure }
}

/// One attempt of a handler at a message.
async fn attempt(
    handler: &Wired,
    job: &Job,
    states: &[(usize, StoredState)],
    buffer: &mut Vec<u8>,
) -> Result<Outcome, RunError> {
    if !digest_fits(&job.envelope, buffer) {
        return Err(stopped(handler, job, How::FailedForGood, super::Invalid::Digest.into()));
    }
    let value = |state: &usize| {
        states.iter().find(|(known, _)| known == state).and_then(|(_, s)| s.value.clone())
    };
    let delivery = Delivery {
        handler: Arc::clone(&handler.name),
        envelope: Arc::clone(&job.envelope),
        attempt: 1,
        late: false,
        states: handler.states.iter().map(value).collect(),
    };
    tracing::trace!(
        target: "endwise::deliver", handler = &*handler.name, position = %job.envelope.position,
    );
    let call = handling(handler.service.clone().oneshot(delivery));
    match AssertUnwindSafe(call).catch_unwind().await {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(error)) => {
            let for_good = HandlerError::from(error);
            let how = if for_good.is_permanent() { How::FailedForGood } else { How::Failed };
            Err(stopped(handler, job, how, for_good.into_boxed()))
        }
        Err(panic) => Err(stopped(handler, job, How::Panicked, panic_text(&*panic).into())),
    }
}

/// Takes an outcome: the lane's states go on with it.
fn take(
    wiring: &Wiring,
    handler: &Wired,
    job: Job,
    outcome: Outcome,
    states: &mut [(usize, StoredState)],
) -> Handled {
    let key = job.envelope.key.clone().unwrap_or_default();
    let mut touches = Vec::with_capacity(handler.states.len());
    for (&state, change) in handler.states.iter().zip(outcome.states) {
        let Some((_, current)) = states.iter_mut().find(|(known, _)| *known == state) else {
            continue;
        };
        let read = current.version;
        match &change {
            StateChange::Same => {}
            StateChange::Put(value) => {
                *current = StoredState { version: read + 1, value: Some(value.clone()) };
            }
            StateChange::Delete => *current = StoredState { version: 0, value: None },
        }
        let name = wiring.states.get(state).cloned().unwrap_or_default();
        touches.push(StateTouch { name, key: Key::clone(&key), read, change });
    }
    Handled { job, states: touches, cancels: outcome.cancels, sends: outcome.sends }
}

/// The last look before the handler: the message is what its sender committed.
fn digest_fits(envelope: &Envelope, buffer: &mut Vec<u8>) -> bool {
    let (Position::Stream(stream, sequence), Some(digest)) = (&envelope.position, envelope.digest)
    else {
        // Only foreign messages have none.
        return true;
    };
    let mut covered = Covered {
        stream,
        sequence: *sequence,
        type_name: &envelope.type_name,
        key: envelope.key.as_deref(),
        prev: envelope.context.prev,
        horizon: envelope.context.horizon,
        body: &envelope.body,
    };
    if covered.digest(buffer) == digest {
        return true;
    }
    // Its sender named no key: the one that it has here was read from its body.
    covered.key = None;
    envelope.headers.get(SUBJECT).is_none() && covered.digest(buffer) == digest
}

fn stopped(handler: &Wired, job: &Job, how: How, cause: BoxError) -> RunError {
    RunError::Handler(HandlerStopped {
        handler: Arc::clone(&handler.name),
        how,
        position: Box::new(job.envelope.position.clone()),
        key: job.envelope.key.clone(),
        cause: Cause(cause),
    })
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "with something that is no text".to_owned())
}
