//! What waits in the store, and for what.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Lanes;
use crate::store::{Kept, Wait};
use crate::stream::Key;

/// A delivery that waits in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Hold {
    /// Its number. Those of one lane go on in the order of their numbers.
    pub number: u64,
    /// The handler.
    pub handler: Arc<str>,
    /// The message's key.
    pub key: Option<Key>,
    /// The message's position.
    pub position: String,
    /// Milliseconds since 1970 since when it waits in the store.
    pub since_ms: u64,
    /// Attempts that failed.
    pub attempts: u32,
    /// What it waits for.
    pub waits_for: WaitsFor,
}

/// What a delivery waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WaitsFor {
    /// Its own next attempt.
    Attempt {
        /// When that is, milliseconds since 1970.
        at_ms: u64,
    },
    /// A dead letter before it in its lane: it is to be replayed or discarded.
    DeadLetter {
        /// Its number.
        number: u64,
        /// Its message's position.
        position: String,
        /// When it is passed over, milliseconds since 1970; `None`: never.
        skip_ms: Option<u64>,
    },
    /// One before it in its lane that waits for its next attempt.
    Retry {
        /// Its number.
        number: u64,
        /// Its message's position.
        position: String,
        /// When that attempt is, milliseconds since 1970.
        at_ms: u64,
    },
    /// Its turn: nothing closes its lane. It is handled now, or when the service runs.
    Turn,
}

impl Lanes {
    /// A kept delivery that is no dead letter, and what it waits for.
    pub(crate) fn hold(&self, kept: &Kept) -> Hold {
        Hold {
            number: kept.number,
            handler: Arc::clone(&kept.handler),
            key: kept.key.clone(),
            position: kept.position.to_string(),
            since_ms: kept.since_ms,
            attempts: kept.attempts,
            waits_for: self.waits_for(kept),
        }
    }

    fn waits_for(&self, kept: &Kept) -> WaitsFor {
        if let Some(closer) = self.closer(kept) {
            let (number, position) = (closer.number, closer.position.to_string());
            match closer.wait {
                Wait::Until(at_ms) => return WaitsFor::Retry { number, position, at_ms },
                Wait::Dead { skip_ms, .. } => {
                    return WaitsFor::DeadLetter { number, position, skip_ms };
                }
                Wait::Held | Wait::Unhandled => {}
            }
        }
        match kept.wait {
            Wait::Until(at_ms) => WaitsFor::Attempt { at_ms },
            Wait::Held | Wait::Dead { .. } | Wait::Unhandled => WaitsFor::Turn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead_letters::Components;
    use crate::stream::{PartitionId, Position};

    fn kept(number: u64, handler: &str, key: &str, wait: Wait) -> Kept {
        let partition =
            PartitionId { cluster: "c".into(), topic: "t".into(), incarnation: 1, partition: 0 };
        Kept {
            number,
            position: Position::Foreign(Arc::new(partition), number),
            handler: handler.into(),
            key: Some(key.into()),
            since_ms: 5,
            wait,
            attempts: 0,
            late: false,
            bytes: 2,
        }
    }

    fn dead(skip_ms: Option<u64>) -> Wait {
        Wait::Dead { since_ms: 9, skip_ms }
    }

    #[test]
    fn what_is_held_names_the_first_that_closes_its_lane() {
        let lanes = Lanes::of(
            vec![
                kept(1, "a", "k", dead(Some(0))),
                kept(2, "a", "k", dead(None)),
                kept(3, "a", "k", Wait::Held),
                kept(4, "a", "other", Wait::Until(70)),
                kept(5, "a", "other", Wait::Held),
                kept(6, "b", "other", Wait::Held),
                kept(7, "a", "free", Wait::Held),
                kept(8, "a", "free", Wait::Held),
            ],
            Components::default(),
        );
        let waits: Vec<_> = lanes.all().map(|kept| lanes.hold(kept).waits_for).collect();
        let retry = WaitsFor::Retry { number: 4, position: "c/t.1/0@4".into(), at_ms: 70 };
        let letter = |number: u64, skip_ms| WaitsFor::DeadLetter {
            number,
            position: format!("c/t.1/0@{number}"),
            skip_ms,
        };
        assert_eq!(waits[2], letter(2, None), "the first one is passed over");
        assert_eq!(waits[3], WaitsFor::Attempt { at_ms: 70 });
        assert_eq!(waits[4], retry);
        assert_eq!(waits[5], retry, "another handler's of the key, where its own is not there");
        assert_eq!(waits[6..], [WaitsFor::Turn, WaitsFor::Turn]);

        let followers = |number| {
            let closer = lanes.all().find(|kept| kept.number == number).unwrap();
            lanes.followers(closer).collect::<Vec<_>>()
        };
        assert_eq!(followers(1), [] as [u64; 0]);
        assert_eq!(followers(2), [3]);
        assert_eq!(followers(4), [5, 6]);
    }
}
