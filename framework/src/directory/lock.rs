//! The lock on a directory, and waiting for somebody who is about to give it back.

use std::fs::{File, Metadata, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use super::holder::{Holder, held};
use super::id;
use crate::clock::Clock;

/// How often, and at what interval, a lock that somebody has is tried again: ten seconds in all. A
/// service that is closing gives it back, and so does the `endwise` tool once it has its answer.
const TRIES: u32 = 400;
const INTERVAL: Duration = Duration::from_millis(25);

/// How long to wait for a lock that somebody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Up to ten seconds: for who is closing, or has only a question.
    Some,
    /// Not at all.
    #[cfg_attr(not(any(test, feature = "cli")), expect(dead_code, reason = "for the tool"))]
    None,
}

/// A lock that is held. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Lock {
    directory: File,
    id: (u64, u64),
}

/// Why there is no lock.
pub(super) enum Refused {
    By(Holder),
    Io(io::Error),
}

impl Lock {
    /// Locks an opened directory. Blocks while somebody has it, but not for ever.
    pub(super) fn take(directory: File, path: &Path, patience: Patience) -> Result<Self, Refused> {
        let id = id(&directory.metadata().map_err(Refused::Io)?);
        let tries = if patience == Patience::Some { TRIES } else { 0 };
        let mut tried = 0;
        loop {
            match directory.try_lock() {
                Ok(()) => {
                    held().insert(id);
                    return Ok(Lock { directory, id });
                }
                Err(TryLockError::Error(error)) => return Err(Refused::Io(error)),
                Err(TryLockError::WouldBlock) if tried == tries => {
                    return Err(Refused::By(Holder::of(id)));
                }
                Err(TryLockError::WouldBlock) => {}
            }
            if tried == 0 {
                tracing::info!(
                    target: "endwise::directory", dir = %path.display(), by = %Holder::of(id),
                    most = ?(INTERVAL * TRIES),
                    "waiting for a directory that is in use: its service may be ending, or the \
                     endwise tool reading it",
                );
            }
            tried += 1;
            Clock::block(INTERVAL);
        }
    }

    /// What the file system says of the directory.
    pub(super) fn metadata(&self) -> io::Result<Metadata> {
        self.directory.metadata()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        held().remove(&self.id);
        // Closing gives it back as well; an error would say that it is not held.
        let _ = self.directory.unlock();
    }
}
