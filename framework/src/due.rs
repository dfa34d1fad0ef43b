//! When something is due: what the committer says to whoever waits for it.

use tokio::sync::watch;

/// The earliest time at which something of the store's or a schedule's is due, milliseconds since
/// 1970. A clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct Due(watch::Sender<Times>);

#[derive(Clone, Copy, Debug)]
struct Times {
    /// Among what has been made since somebody last looked.
    made: Option<u64>,
    /// Among what there was when somebody last looked; at once, until somebody has.
    known: Option<u64>,
}

impl Due {
    pub(crate) fn new() -> Self {
        Due(watch::Sender::new(Times { made: None, known: Some(0) }))
    }

    /// Something has been made that is due then.
    pub(crate) fn made(&self, due_ms: Option<u64>) {
        self.0.send_if_modified(|times| {
            let earlier = earliest(times.made, due_ms);
            std::mem::replace(&mut times.made, earlier) != earlier
        });
    }

    /// Begins a look at what there is: what is made from here on, and may be missed by the look,
    /// is noted.
    pub(crate) fn look(&self) {
        self.0.send_modify(|times| *times = Times { made: None, known: Some(0) });
    }

    /// Ends it: what there is, is due then.
    pub(crate) fn looked(&self, due_ms: Option<u64>) {
        self.0.send_modify(|times| times.known = due_ms);
    }

    /// When the first is due.
    pub(crate) fn first(&self) -> Option<u64> {
        let Times { made, known } = *self.0.borrow();
        earliest(made, known)
    }

    /// Its changes.
    pub(crate) fn changes(&self) -> watch::Receiver<impl Sized + Send + Sync + use<>> {
        self.0.subscribe()
    }
}

/// The earlier of two times, of which each may be never.
pub(crate) fn earliest(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_while_somebody_looks_is_not_forgotten() {
        let due = Due::new();
        assert_eq!(due.first(), Some(0), "nobody has looked");
        due.made(Some(5));
        due.look();
        due.made(Some(9));
        due.made(Some(7));
        due.made(None);
        due.looked(Some(8));
        assert_eq!(due.first(), Some(7));
        due.look();
        due.looked(None);
        assert_eq!(due.first(), None);
    }
}
