//! Each key's last sequence in a stream, for as long as it may matter, in bounded memory.

use std::sync::Arc;

use crate::hash::FastMap;

/// New keys of one generation. Two generations make a cache of at most twice as many keys a
/// stream, open ones aside, which are never forgotten.
const GENERATION: usize = 512;

/// The last sequence of each key, exact while it is open, forgotten some time after.
///
/// The maps are walked only to drop a generation, where the order does not matter.
#[derive(Debug, Default)]
pub(super) struct Recent {
    young: FastMap<Arc<str>, u64>,
    old: FastMap<Arc<str>, u64>,
    /// The highest sequence forgotten.
    horizon: u64,
    /// How many open keys the young generation began with.
    kept: usize,
}

impl Recent {
    /// What was open is known, everything through `confirmed` is forgotten.
    pub(super) fn recall(confirmed: u64, open: impl Iterator<Item = (Arc<str>, u64)>) -> Self {
        let young: FastMap<_, _> = open.collect();
        Recent { kept: young.len(), young, old: FastMap::default(), horizon: confirmed }
    }

    /// The key's previous sequence, or the horizon where it may be forgotten; the key's last one
    /// is `sequence` from here on.
    pub(super) fn remember(
        &mut self,
        key: &Arc<str>,
        sequence: u64,
        confirmed: u64,
    ) -> (Option<u64>, u64) {
        let known = match self.young.get_mut(key) {
            Some(last) => return (Some(std::mem::replace(last, sequence)), 0),
            None => self.old.remove(key),
        };
        if self.young.len() >= self.kept + GENERATION {
            self.drop_old(confirmed);
        }
        self.young.insert(Arc::clone(key), sequence);
        match known {
            Some(last) => (Some(last), 0),
            None => (None, self.horizon),
        }
    }

    fn drop_old(&mut self, confirmed: u64) {
        let young = std::mem::take(&mut self.young);
        for (key, last) in std::mem::replace(&mut self.old, young) {
            if last > confirmed {
                self.young.insert(key, last);
            } else {
                self.horizon = self.horizon.max(last);
            }
        }
        self.kept = self.young.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        /// Whatever the order of keys and confirmations: a previous sequence that is named is the
        /// right one, and one that is not named lies at or below the horizon.
        #[test]
        fn prev_is_exact_or_within_the_horizon(
            keys in prop::collection::vec((0u32..3000, prop::bool::weighted(0.02)), 0..6000)
        ) {
            let (mut recent, mut truth) = (Recent::default(), HashMap::new());
            let mut confirmed = 0;
            for (sequence, (key, confirm)) in (1u64..).zip(keys) {
                let key: Arc<str> = key.to_string().into();
                let (prev, horizon) = recent.remember(&key, sequence, confirmed);
                let last = truth.insert(Arc::clone(&key), sequence);
                match (prev, last) {
                    (Some(_), _) => prop_assert_eq!(prev, last),
                    (None, Some(last)) => {
                        prop_assert!(last <= horizon, "{} forgotten beyond {}", last, horizon);
                        prop_assert!(last <= confirmed, "open messages are never forgotten");
                    }
                    (None, None) => {}
                }
                if confirm {
                    confirmed = sequence;
                }
            }
        }
    }
}
