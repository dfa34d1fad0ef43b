//! Waiting for one's turn at a directory that somebody has open: a service that starts will answer
//! soon, and one that ends, or another `endwise`, will have closed it.

use std::path::Path;
use std::time::Duration;

use super::Trouble;
use super::print::note;
use crate::clock::Clock;
use crate::directory::Holder;

/// How often, and at what interval, it is tried again: five seconds in all.
const TRIES: u32 = 100;
const INTERVAL: Duration = Duration::from_millis(50);

/// How often it was tried.
#[derive(Debug, Default)]
pub(super) struct Turn(u32);

impl Turn {
    /// Waits for the next try, or says that it was tried often enough. Says once that it waits.
    pub(super) async fn next(&mut self, dir: &Path, by: &Holder, why: &str) -> Result<(), Trouble> {
        let (dir, most) = (dir.display(), (INTERVAL * TRIES).as_secs());
        if self.0 == TRIES {
            return Err(Trouble::Failed(format!(
                "{dir} is in use by {by}, which {why}, for {most} s now: its service is starting \
                 or stopping (try again), or its log says why it has no admin socket"
            )));
        }
        if self.0 == 0 {
            note(&format!(
                "{dir} is in use by {by}, which {why}: its service may be starting or stopping; \
                 waiting up to {most} s"
            ));
        }
        self.0 += 1;
        Clock::system().sleep(INTERVAL).await;
        Ok(())
    }
}
