//! Supervision: the parts of a service end in an order in which none waits for another that has
//! gone, whether it is stopped or one of them fails.

use std::sync::Arc;

use tokio::sync::watch;

use crate::admin::Admin;
use crate::consume::commit::Work;
use crate::failure::RunError;
use crate::operator::Requests;
use crate::queue::Queue;
use crate::store::SharedReader;
use crate::tasks::Tasks;
use crate::vitals::Vitals;

/// A part of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Intake,
    Timer,
    Consume,
    Relay,
    Commit,
}

/// Says that a service has ended, when it is dropped: also if nobody waited for its end.
pub(super) struct Ending {
    pub(super) vitals: Arc<Vitals>,
    /// Whoever waits for an answer is told.
    pub(super) requests: Requests,
    /// Whoever still has a handle reads no more, and keeps no store open.
    pub(super) reader: Arc<SharedReader>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.vitals.ended.set(true);
        self.reader.close();
        self.requests.close();
    }
}

/// Waits for the end of the parts; then whoever waits for an answer is told, and the admin socket
/// goes last.
pub(super) async fn to_the_end(
    parts: impl Future<Output = Result<(), RunError>>,
    ending: Ending,
    admin: Admin,
) -> Result<(), RunError> {
    let ended = parts.await;
    drop(ending);
    admin.end().await;
    ended
}

/// How the parts are told to end.
pub(super) struct Controls {
    /// For intake, timer and consume: take nothing more, finish what is in progress.
    pub(super) stop: watch::Sender<bool>,
    /// For the relay, once those have ended.
    pub(super) end: watch::Sender<bool>,
    /// For the committer, last.
    pub(super) work: Queue<Work>,
}

/// Waits for the end of a service's parts, and brings it about when one of them fails.
pub(super) async fn supervise(
    mut tasks: Tasks<(Role, Result<(), RunError>)>,
    controls: Controls,
) -> Result<(), RunError> {
    let mut running = vec![Role::Intake, Role::Timer, Role::Consume, Role::Relay, Role::Commit];
    let mut result = Ok(());
    while let Some(ended) = tasks.ended().await {
        let (role, ended) = ended?;
        running.retain(|other| *other != role);
        match (role, ended) {
            // Without these nothing can be finished: the others are dropped where they are.
            (Role::Relay | Role::Commit, Err(error)) => {
                tasks.shutdown().await;
                return result.and(Err(error));
            }
            (Role::Intake | Role::Timer | Role::Consume, Err(error)) => {
                result = result.and(Err(error));
                controls.stop.send_replace(true);
            }
            (_, Ok(())) => {}
        }
        let has = |role| running.contains(&role);
        if ![Role::Intake, Role::Timer, Role::Consume].into_iter().any(has) {
            controls.end.send_replace(true);
            if !has(Role::Relay) {
                controls.work.push([Work::Stop])?;
            }
        }
    }
    result
}
