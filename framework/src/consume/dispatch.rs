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
use crate::clock::Clock;
use crate::delivery::Delivery;
use crate::error::{BoxError, HandlerError};
use crate::failure::RunError;
use crate::handling::handling;
use crate::limits::MessageLimits;
use crate::message::{InvalidMessage, KeyDiffers};
use crate::outcome::{Cancel, Outcome, Send as Message, StateChange};
use crate::queue::Queue;
use crate::state::InvalidState;
use crate::store::{How, Reader, StateTouch, StoredState};
use crate::stream::Key;
use crate::watchdog::Watch;
use crate::wiring::{Wired, Wiring};

mod load;

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
    /// What failed then, and ended the run.
    pub(crate) failed: Option<Failed>,
    /// What did not run any more.
    pub(crate) rest: VecDeque<Job>,
    pub(crate) states: Vec<(usize, StoredState)>,
    /// With what else it was marked as running.
    pub(crate) batch: u64,
}

impl Ran {
    /// A run of which nothing was begun.
    fn none(run: Loaded) -> Self {
        let Loaded { lane, number, jobs: rest, states, batch, .. } = run;
        Ran { lane, number, handled: Vec::new(), failed: None, rest, states, batch }
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

/// One delivery whose attempt has failed: nothing of it takes effect.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) job: Job,
    pub(crate) how: How,
    /// Why; for a panic or a timeout, what it said.
    pub(crate) error: BoxError,
}

/// A run with all of its messages.
struct Loaded {
    lane: LaneId,
    number: u64,
    jobs: VecDeque<Job>,
    states: Vec<(usize, StoredState)>,
    batch: u64,
    is_condemned: bool,
}

/// What deliveries are run with.
#[derive(Clone, Debug)]
pub(crate) struct Dispatcher {
    pub(crate) wiring: Arc<Wiring>,
    pub(crate) reader: Arc<dyn Reader>,
    pub(crate) clock: Clock,
    pub(crate) watch: Watch,
    /// What a message that is sent may have.
    pub(crate) limits: MessageLimits,
}

impl Dispatcher {
    /// Runs some lanes' runs side by side and hands each on when it has ended.
    pub(crate) async fn run(self, runs: Vec<Run>, ended: Queue<Ran>) -> Result<(), RunError> {
        let mut runs = load::messages(&*self.reader, runs).await?;
        load::states(&self.wiring, &*self.reader, &mut runs).await?;
        let (mut at_once, waiting) = (Vec::with_capacity(runs.len()), FuturesUnordered::new());
        let mut sends = 0;
        for run in runs {
            if sends >= SENDS_MAX {
                at_once.push(Ran::none(run));
                continue;
            }
            let mut running = Box::pin(run_lane(self.clone(), run));
            // Most handlers never wait, and are done with the first look.
            match std::future::poll_fn(|cx| Poll::Ready(running.as_mut().poll(cx))).await {
                Poll::Ready(ran) => {
                    let ran = ran?;
                    sends += ran.handled.iter().map(|handled| handled.sends.len()).sum::<usize>();
                    at_once.push(ran);
                }
                Poll::Pending => waiting.push(running),
            }
        }
        ended.push(at_once)?;
        let mut waiting = pin!(waiting.ready_chunks(64));
        while let Some(ran) = waiting.next().await {
            ended.push(ran.into_iter().collect::<Result<Vec<_>, _>>()?)?;
        }
        Ok(())
    }
}

/// Runs a lane's jobs until the last, or until one fails.
async fn run_lane(dispatcher: Dispatcher, run: Loaded) -> Result<Ran, RunError> {
    let Loaded { lane, number, mut jobs, mut states, batch, is_condemned } = run;
    let mut handled = Vec::with_capacity(jobs.len());
    let (mut buffer, mut failed, mut sends) = (Vec::new(), None, 0);
    while sends < SENDS_MAX
        && let Some(job) = jobs.pop_front()
    {
        // A job's handler number comes from the wiring itself.
        let Some(handler) = dispatcher.wiring.handlers.get(job.handler) else { continue };
        // The last look before the handler: the message is what its sender committed.
        if !job.envelope.digest_fits(&mut buffer) {
            return Err(RunError::Changed { position: Box::new(job.envelope.position.clone()) });
        }
        let attempt = match is_condemned {
            true => {
                Err((How::Killed, "the process died again and again while it ran alone".into()))
            }
            false => attempt(&dispatcher, handler, &job, &states).await,
        };
        match attempt {
            Ok(outcome) => {
                sends += outcome.sends.len();
                handled.push(take(&dispatcher.wiring, handler, job, outcome, &mut states));
            }
            Err((how, error)) => {
                failed = Some(Failed { job, how, error });
                break;
            }
        }
    }
    Ok(Ran { lane, number, handled, failed, rest: jobs, states, batch })
}

/// One attempt of a handler at a message.
async fn attempt(
    dispatcher: &Dispatcher,
    handler: &Wired,
    job: &Job,
    states: &[(usize, StoredState)],
) -> Result<Outcome, (How, BoxError)> {
    let value = |state: &usize| {
        states.iter().find(|(known, _)| known == state).and_then(|(_, s)| s.value.clone())
    };
    let kept = job.kept.as_deref();
    let delivery = Delivery {
        handler: Arc::clone(&handler.name),
        envelope: Arc::clone(&job.envelope),
        attempt: kept.map_or(0, |kept| kept.attempts).saturating_add(1),
        late: kept.is_some_and(|kept| kept.late),
        states: handler.states.iter().map(value).collect(),
    };
    tracing::trace!(
        target: "endwise::deliver", handler = &*handler.name, position = %job.envelope.position,
        attempt = delivery.attempt,
    );
    let policy = &handler.on_failure;
    // The service itself is made inside: what it panics with when it is asked is caught too.
    let call = handling(async { handler.service.clone().oneshot(delivery).await });
    let caught = AssertUnwindSafe(call).catch_unwind();
    let watched = dispatcher.watch.over(&handler.name, job.envelope.key.as_ref(), caught);
    let caught = dispatcher.clock.timeout(policy.timeout, watched).await;
    match caught {
        Some(Ok(Ok(outcome))) => {
            let mut sends = outcome.sends.iter();
            let within = sends.try_for_each(|message| dispatcher.limits.check(message));
            within.map(|()| outcome).map_err(|error| (How::Failed, error.into()))
        }
        Some(Ok(Err(error))) => {
            let error = HandlerError::from(error);
            let is_final = error.is_permanent()
                || is_unreadable(error.as_error())
                || policy.unless.as_ref().is_some_and(|unless| unless(&error));
            let how = if is_final { How::FailedForGood } else { How::Failed };
            Err((how, error.into_boxed()))
        }
        Some(Err(panic)) => Err((How::Panicked, panic_text(&*panic).into())),
        None => Err((How::TimedOut, format!("it took longer than {:?}", policy.timeout).into())),
    }
}

/// Whether an error says that the message cannot be read as what the handler takes, or the state.
/// Trying again finds the same bytes.
fn is_unreadable(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<InvalidMessage>() || error.is::<KeyDiffers>() || error.is::<InvalidState>()
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

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "with something that is no text".to_owned())
}
