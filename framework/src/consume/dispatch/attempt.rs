//! One attempt: a handler's code is called, and whatever that does, there is an end of it.
//!
//! All that its author wrote runs in here: the handler, the layers, what looks at an error and what
//! an error says, what is dropped with an attempt that took too long. Behind this there is only
//! data.

use std::error::Error;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use tower::ServiceExt;

use super::{Dispatcher, said};
use crate::consume::lane::Job;
use crate::delivery::{Begun, Delivery};
use crate::error::{BoxError, HandlerError};
use crate::handling::handling;
use crate::message::{InvalidMessage, KeyDiffers};
use crate::outcome::Outcome;
use crate::outgoing::SendError;
use crate::policy::OnFailure;
use crate::state::InvalidState;
use crate::store::{How, StoredState};
use crate::wiring::Wired;

/// How an attempt failed, and why: the error with its chain of sources.
type Failure = (How, Vec<String>);

/// One attempt of a handler at a message.
pub(super) async fn attempt(
    dispatcher: &Dispatcher,
    handler: &Wired,
    job: &Job,
    states: &[(usize, StoredState)],
) -> Result<Outcome, Failure> {
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
        read_back: Some(Arc::clone(&dispatcher.read_back)),
        begun: handler.is_layered.then(Arc::default),
    };
    let begun = delivery.begun.clone();
    tracing::trace!(
        target: "endwise::deliver", handler = &*handler.name, position = %job.envelope.position,
        attempt = delivery.attempt,
    );
    let policy = &handler.on_failure;
    // The service itself is made inside: what it panics with when it is asked is caught too.
    let call = handling(async { handler.service.clone().oneshot(delivery).await });
    let caught = AssertUnwindSafe(call).catch_unwind();
    let watched = dispatcher.watch.over(&handler.name, job.envelope.key.as_ref(), caught);
    match in_time(dispatcher, policy.timeout, begun.as_deref(), watched).await {
        Some(Ok(Ok(outcome))) => {
            let within = dispatcher.limits.check_outcome(&outcome);
            within.map(|()| outcome).map_err(|error| (How::FailedForGood, said::errors(&error)))
        }
        Some(Ok(Err(error))) => Err(look_at(error, policy)),
        Some(Err(panic)) => Err(panicked(&*panic)),
        None => Err((How::TimedOut, vec![format!("it took longer than {:?}", policy.timeout)])),
    }
}

/// What a call gives, or `None` if that takes longer, from when the handler itself has begun: what
/// waits in a layer has its time still before it. What panics when it is dropped then is caught as
/// well: the attempt has failed already.
async fn in_time<F: Future>(
    dispatcher: &Dispatcher,
    limit: Duration,
    begun: Option<&Begun>,
    call: F,
) -> Option<F::Output> {
    let mut call = pin!(Some(call));
    let mut poll = |context: &mut Context<'_>| match call.as_mut().as_pin_mut() {
        Some(call) => call.poll(context),
        None => Poll::Pending,
    };
    let early = match begun {
        Some(begun) => before_it_begins(dispatcher, begun, &mut poll).await,
        None => None,
    };
    let output = match early {
        Some(output) => Some(output),
        None => dispatcher.clock.timeout(limit, poll_fn(poll)).await,
    };
    drop(catch_unwind(AssertUnwindSafe(|| call.set(None))));
    output
}

/// Polls a call until the handler itself has begun; what the call gives if it is done by then.
async fn before_it_begins<T>(
    dispatcher: &Dispatcher,
    begun: &Begun,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    let mut waiting = None;
    poll_fn(|context| {
        begun.watch(context);
        match poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if begun.is_begun() => Poll::Ready(None),
            Poll::Pending => {
                let waits = &dispatcher.vitals.waits;
                waiting.get_or_insert_with(|| waits.in_layer(dispatcher.clock.now_ms()));
                Poll::Pending
            }
        }
    })
    .await
}

/// What kind of failure an error is, and what it says.
fn look_at(error: BoxError, policy: &OnFailure) -> Failure {
    let look = || {
        let error = HandlerError::from(error);
        let is_final = error.is_permanent()
            || cannot_change(error.as_error())
            || policy.unless.as_ref().is_some_and(|unless| unless(&error));
        let how = if is_final { How::FailedForGood } else { How::Failed };
        (how, said::errors(error.as_error()))
    };
    catch_unwind(AssertUnwindSafe(look)).unwrap_or_else(|panic| panicked(&*panic))
}

/// Whether an error, or one that caused it, says that the message or the state cannot be read as
/// what the handler takes, or that what it made cannot be stored or sent. Trying again finds the
/// same bytes, and makes the same.
fn cannot_change(error: &(dyn Error + 'static)) -> bool {
    let mut chain = std::iter::successors(Some(error), |&error| error.source());
    chain.any(|error| {
        error.is::<InvalidMessage>()
            || error.is::<KeyDiffers>()
            || error.is::<InvalidState>()
            || error.is::<SendError>()
    })
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let text = text.unwrap_or_else(|| "with something that is no text".to_owned());
    (How::Panicked, vec![said::cut(text)])
}
