//! sled's own handle, and how it is let go.
//!
//! Works around sled 0.34.7. Its destructor writes what is in memory: after an error inside a
//! batch that is a half of it, and the store does not open again (spacejam/sled: `TreeInner::drop`
//! flushes whatever failed before). So a handle with which something failed is abandoned: it keeps
//! its memory and its file until the process ends, and never writes again. A sync that fails in
//! the destructor panics (`Log::drop`); that is caught.

use std::path::PathBuf;

use super::panic::caught;

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
