//! When something is due: what the committer says to whoever waits for it.

use tokio::sync::watch;

/// The earliest time at which something of the store's or a schedule's is due, milliseconds since
/// 1970. A clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct Due(watch::Sender<Times>);

#[derive(Clone, Copy, Debug)]
struct Times {
    /// Among what has been made since somebody began to look.
    made: Option<u64>,
    known: Known,
}

/// What is known of what there was when somebody last looked.
#[derive(Clone, Copy, Debug)]
enum Known {
    /// Nothing yet.
    Looking,
    /// When the first is due.
    First(Option<u64>),
}

impl Times {
    fn first(self) -> Option<u64> {
        match self.known {
            Known::Looking => Some(0),
            Known::First(known) => earliest(self.made, known),
        }
    }
}

impl Due {
    pub(crate) fn new() -> Self {
        Due(watch::Sender::new(Times { made: None, known: Known::Looking }))
    }

    /// Something has been made that is due then. Nobody is woken for what is not the first.
    pub(crate) fn made(&self, due_ms: Option<u64>) {
        let Some(due_ms) = due_ms else { return };
        self.0.send_if_modified(|times| {
            let is_looking = matches!(times.known, Known::Looking);
            let is_first = times.first().is_none_or(|first| due_ms < first);
            if is_looking || is_first {
                times.made = earliest(times.made, Some(due_ms));
            }
            is_first
        });
    }

    /// Begins a look at what there is: what is made from here on, and may be missed by the look,
    /// is noted.
    pub(crate) fn look(&self) {
        self.0.send_replace(Times { made: None, known: Known::Looking });
    }

    /// Ends it: of what there is, the first is due then.
    pub(crate) fn looked(&self, due_ms: Option<u64>) {
        self.0.send_modify(|times| times.known = Known::First(due_ms));
    }

    /// When the first is due; at once, while somebody looks.
    pub(crate) fn first(&self) -> Option<u64> {
        self.0.borrow().first()
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

    #[test]
    fn only_what_is_first_wakes() {
        let due = Due::new();
        due.look();
        due.looked(Some(5));
        let mut changes = due.changes();
        for (made, wakes) in [(6, false), (5, false), (4, true), (4, false), (3, true)] {
            changes.mark_unchanged();
            due.made(Some(made));
            assert_eq!(changes.has_changed().unwrap(), wakes, "{made}");
        }
        assert_eq!(due.first(), Some(3));
    }
}
