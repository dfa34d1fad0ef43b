//! sled's own handle, and how it is let go.
//!
//! Works around sled 0.34.7. Its destructor writes what is in memory: after an error inside a
//! batch that is a half of it, and the store does not open again (spacejam/sled: `TreeInner::drop`
//! flushes whatever failed before). So a handle with which something failed is abandoned: it keeps
//! its memory and its file until the process ends, and never writes again. A sync that fails in
//! the destructor panics (`Log::drop`); that is caught.

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::base::sled_error;
use super::error::BaseError;
use super::panic::caught;
use crate::tasks;

/// After how long a flush is asked whether a write of it has failed, again and again.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// A handle of sled, which is dropped unless it was abandoned.
pub(super) struct Handle {
    dir: PathBuf,
    /// Only dropping takes it.
    db: Option<::sled::Db>,
}

impl Handle {
    pub(super) fn new(dir: PathBuf, db: ::sled::Db) -> Self {
        Handle { dir, db: Some(db) }
    }

    /// sled's handle.
    pub(super) fn get(&self) -> Option<&::sled::Db> {
        self.db.as_ref()
    }

    /// Has sled write what is in memory.
    ///
    /// Works around sled 0.34.7 (`Log::exit_reservation`): a write that fails there wakes nobody,
    /// and the flush that waits for it would wait for ever. So it waits in a thread of its own,
    /// which is left behind then: the handle is abandoned after that error.
    pub(super) fn flush(&self) -> Result<(), BaseError> {
        let Some(db) = &self.db else { return Ok(()) };
        let (doing, (done, ended)) = ("writing a checkpoint", sync_channel(1));
        let (flushed, dir) = (db.clone(), self.dir.clone());
        let flush = move || {
            let flush = || flushed.flush().map(drop);
            let flush = caught(doing, &dir, || flush().map_err(|e| sled_error(doing, &dir, e)));
            // Whoever asked has an error already if this fails.
            let _ = done.send(flush);
        };
        let failed = |source| BaseError::Io { doing, path: self.dir.clone(), source };
        tasks::thread("endwise-flush", flush).map_err(failed)?;
        loop {
            match ended.recv_timeout(FLUSH_INTERVAL) {
                Ok(flushed) => return flushed,
                Err(RecvTimeoutError::Timeout) => {
                    let error = db.context.global_error();
                    error.map_err(|error| sled_error(doing, &self.dir, error))?;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(failed(std::io::Error::other("its thread has ended")));
                }
            }
        }
    }

    /// Has no destructor of sled ever run: what is shared with this clone lives for good.
    pub(super) fn abandon(&self) {
        std::mem::forget(self.db.clone());
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let db = self.db.take();
        let dropped = caught("closing", &self.dir, || {
            drop(db);
            Ok(())
        });
        if let Err(error) = dropped {
            tracing::error!(
                target: "endwise::store", %error,
                "sled did not close in order; nothing is lost: the journal has what was \
                 acknowledged",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::base::config;
    use super::*;

    #[test]
    fn an_abandoned_handle_writes_nothing_more() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("db");
        let handle =
            Handle::new(home.path().to_owned(), config(home.path(), 1 << 20).open().unwrap());
        handle.get().unwrap().flush().unwrap();
        let before = std::fs::read(&file).unwrap();
        handle.get().unwrap().insert("half of", "a batch").unwrap();
        handle.abandon();
        drop(handle);
        assert_eq!(std::fs::read(&file).unwrap(), before);
    }
}
