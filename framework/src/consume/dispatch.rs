//! Dispatch: runs deliveries. Lanes run side by side, a lane's deliveries one after the other,
//! each on the state that the one before it left.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures::stream::{FuturesUnordered, StreamExt};

use super::lane::{Job, LaneId, Run};
use crate::clock::Clock;
use crate::failure::RunError;
use crate::limits::MessageLimits;
use crate::message::json::ReadBack;
use crate::outcome::{Cancel, Outcome, Send as Message, StateChange};
use crate::queue::Queue;
use crate::store::{How, Reader, StateTouch, StoredState};
use crate::stream::Key;
use crate::vitals::Vitals;
use crate::watchdog::Watch;
use crate::wiring::{Wired, Wiring};

mod attempt;
mod load;
mod said;

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
    /// Why, with its chain of sources; for a panic or a timeout, what it said.
    pub(crate) errors: Vec<String>,
}

/// A run with all of its messages.
struct Loaded {
    lane: LaneId,
    number: u64,
    jobs: VecDeque<Job>,
    states: Vec<(usize, StoredState)>,
    batch: u64,
    condemned: Option<u32>,
}

/// What deliveries are run with.
#[derive(Clone, Debug)]
pub(crate) struct Dispatcher {
    pub(crate) wiring: Arc<Wiring>,
    pub(crate) reader: Arc<dyn Reader>,
    pub(crate) clock: Clock,
    pub(crate) watch: Watch,
    /// Where what waits in a layer is noted.
    pub(crate) vitals: Arc<Vitals>,
    /// What a message that is sent may have.
    pub(crate) limits: MessageLimits,
    /// Counts what handlers write.
    pub(crate) read_back: Arc<ReadBack>,
}

impl Dispatcher {
    /// Runs some lanes' runs side by side and hands each on when it has ended.
    pub(crate) async fn run(self, runs: Vec<Run>, ended: Queue<Ran>) -> Result<(), RunError> {
        let mut runs = load::messages(&self.wiring, &*self.reader, runs).await?;
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
    let Loaded { lane, number, mut jobs, mut states, batch, condemned } = run;
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
        let attempt = match condemned {
            Some(deaths) => Err((How::Killed, vec![said::killed(deaths)])),
            None => attempt::attempt(&dispatcher, handler, &job, &states).await,
        };
        match attempt {
            Ok(outcome) => {
                sends += outcome.sends.len();
                handled.push(take(&dispatcher.wiring, handler, job, outcome, &mut states));
            }
            Err((how, errors)) => {
                failed = Some(Failed { job, how, errors });
                break;
            }
        }
    }
    Ok(Ran { lane, number, handled, failed, rest: jobs, states, batch })
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
