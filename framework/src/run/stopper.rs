//! A way to ask for the stop of a process's services from anywhere in it.

use std::future::Future;

use tokio::sync::watch;

/// Asks the services of a [`Running`](super::Running) to stop, from a route, a task or a test, and
/// tells when somebody has. A clone asks the same ones.
///
/// Asking is all that it does: [`Running::serve`](super::Running::serve),
/// [`until_signal`](super::Running::until_signal) and [`ended`](super::Running::ended) return from
/// their wait then, as they do for a signal. It keeps nothing running.
///
/// ```no_run
/// # async fn serve(running: framework::Running) -> Result<(), Box<dyn std::error::Error>> {
/// let stopper = running.stopper();
/// tokio::spawn(async move {
///     tokio::signal::ctrl_c().await.ok();
///     stopper.stop();
/// });
/// running.ended().await?;
/// running.stop().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<bool>);

impl Stopper {
    pub(super) fn new() -> Self {
        Stopper(watch::Sender::new(false))
    }

    /// Asks for a stop, and returns at once.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Returns once somebody has asked for a stop: this, a clone, or a signal under
    /// [`Running::serve`](super::Running::serve) and
    /// [`until_signal`](super::Running::until_signal). Cancellation safe.
    pub fn requested(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut asked = self.0.subscribe();
        let kept = self.0.clone();
        async move {
            // It cannot go while this has it.
            let _ = asked.wait_for(|asked| *asked).await;
            drop(kept);
        }
    }
}
