//! What is to be reported, from one look at the slots to the next. No thread, no clock.

use std::sync::Arc;
use std::time::Duration;

use super::slots::Poll;
use crate::stream::Key;

/// What earlier looks have found.
#[derive(Debug)]
pub(super) struct Watched {
    limit: Duration,
    known: Vec<Known>,
}

/// A poll that is under way.
#[derive(Debug)]
struct Known {
    poll: Poll,
    /// When a look found it first.
    since: Duration,
    is_reported: bool,
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) handler: Arc<str>,
    pub(super) key: Option<Key>,
    pub(super) event: Event,
    /// For how long it has been seen to hold its thread.
    pub(super) after: Duration,
}

/// A handler that holds its thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blocked {
    pub(crate) handler: Arc<str>,
    pub(crate) key: Option<Key>,
    /// For how long.
    pub(crate) held: Duration,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// It holds its thread for longer than the limit.
    Holds,
    /// It has yielded, or returned.
    Returned,
}

impl Watched {
    pub(super) fn new(limit: Duration) -> Self {
        Watched { limit, known: Vec::new() }
    }

    /// Compares the polls that are under way with those of the last look. Each is reported once
    /// when it has passed the limit, and once more when it has ended.
    pub(super) fn look(&mut self, polls: Vec<Poll>, now: Duration) -> Vec<Report> {
        let mut reports = Vec::new();
        let before = std::mem::take(&mut self.known);
        let (going_on, ended): (Vec<Known>, Vec<Known>) =
            before.into_iter().partition(|known| polls.contains(&known.poll));
        for known in ended.into_iter().filter(|known| known.is_reported) {
            reports.push(known.report(Event::Returned, now));
        }
        let is_new = |poll: &Poll| !going_on.iter().any(|known| known.poll == *poll);
        let new: Vec<Poll> = polls.into_iter().filter(is_new).collect();
        self.known = going_on;
        self.known.extend(new.into_iter().map(|poll| Known {
            poll,
            since: now,
            is_reported: false,
        }));
        for known in &mut self.known {
            if !known.is_reported && now.saturating_sub(known.since) >= self.limit {
                known.is_reported = true;
                reports.push(known.report(Event::Holds, now));
            }
        }
        reports
    }
}

impl Watched {
    /// Those that hold their threads now, as they were reported.
    pub(super) fn blocked(&self, now: Duration) -> Vec<Blocked> {
        let reported = self.known.iter().filter(|known| known.is_reported);
        let blocked = |known: &Known| {
            let Poll { handler, key, .. } = known.poll.clone();
            Blocked { handler, key, held: now.saturating_sub(known.since) }
        };
        reported.map(blocked).collect()
    }
}

impl Known {
    fn report(&self, event: Event, now: Duration) -> Report {
        let Poll { handler, key, .. } = &self.poll;
        let after = now.saturating_sub(self.since);
        Report { handler: Arc::clone(handler), key: key.clone(), event, after }
    }
}
