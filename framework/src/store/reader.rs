//! Reading what is durable, for every store that is made of tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::change::Id;
use super::scan::scan;
use super::states::{Cold, Shared};
use super::{
    InvalidMessage, Kept, KeptMessage, Reader, StoreError, StoredState, Timer, TimerId, Totals,
};
use crate::delivery::StateValue;
use crate::stream::Key;
use crate::tasks::blocking;

/// Reads what the tables show, and what lies behind them on tokio's blocking threads.
#[derive(Debug)]
pub(super) struct TablesReader {
    pub(super) shared: Arc<Shared>,
    pub(super) cold: Option<Arc<dyn Cold>>,
}

/// Where a state is.
enum Found {
    InMemory(StoredState),
    /// Behind the memtable, if anywhere.
    Behind(Id),
}

impl TablesReader {
    fn look(&self, keys: &[(Arc<str>, Key)]) -> Vec<Found> {
        let memtable = self.shared.read();
        let find = |(name, key): &(Arc<str>, Key)| match memtable.state_names.id(name) {
            None => Found::InMemory(StoredState::default()),
            Some(id) => match memtable.get(id, key) {
                Some(state) => Found::InMemory(state.clone()),
                None => Found::Behind(id),
            },
        };
        keys.iter().map(find).collect()
    }
}

#[async_trait]
impl Reader for TablesReader {
    async fn states(&self, keys: Vec<(Arc<str>, Key)>) -> Result<Vec<StoredState>, StoreError> {
        let found = self.look(&keys);
        let is_behind = found.iter().any(|found| matches!(found, Found::Behind(_)));
        let cold = self.cold.as_ref().filter(|_| is_behind).map(Arc::clone);
        // No lock is held. What was not in memory was behind it then, and what is there now is
        // that or something newer that is durable.
        let read = move |(found, (_, key)): (Found, (Arc<str>, Key))| match (found, &cold) {
            (Found::InMemory(state), _) => Ok(state),
            (Found::Behind(id), Some(cold)) => cold.state(id, &key),
            (Found::Behind(_), None) => Ok(StoredState::default()),
        };
        if self.cold.is_none() || !is_behind {
            return found.into_iter().zip(keys).map(read).collect();
        }
        blocking(move || found.into_iter().zip(keys).map(read).collect())
            .await
            .map_err(StoreError::failed)?
    }

    async fn scan(
        &self,
        name: Arc<str>,
        after: Option<Key>,
        most: usize,
    ) -> Result<Vec<(Key, StateValue)>, StoreError> {
        let (shared, cold) = (Arc::clone(&self.shared), self.cold.clone());
        if cold.is_none() {
            return scan(&shared, None, &name, after.as_deref(), most);
        }
        blocking(move || scan(&shared, cold.as_deref(), &name, after.as_deref(), most))
            .await
            .map_err(StoreError::failed)?
    }

    async fn sent_from(&self, source: &str) -> Result<u64, StoreError> {
        Ok(self.shared.read().intake.get(source).copied().unwrap_or(0))
    }

    async fn sent(&self) -> Result<Vec<(Arc<str>, u64)>, StoreError> {
        let memtable = self.shared.read();
        let mut topics = BTreeMap::new();
        for ((topic, _), last) in &memtable.sent {
            if let Some(name) = memtable.names.get(*topic) {
                *topics.entry(Arc::clone(name)).or_default() += last;
            }
        }
        Ok(topics.into_iter().collect())
    }

    async fn kept(&self, _: Option<u64>, _: usize) -> Result<Vec<Kept>, StoreError> {
        Ok(Vec::new())
    }

    async fn kept_messages(
        &self,
        numbers: Vec<u64>,
    ) -> Result<Vec<Option<KeptMessage>>, StoreError> {
        Ok(vec![None; numbers.len()])
    }

    async fn timers(&self, _: Option<TimerId>, _: usize) -> Result<Vec<Timer>, StoreError> {
        Ok(Vec::new())
    }

    async fn invalid(
        &self,
        _: Option<u64>,
        _: usize,
    ) -> Result<Vec<(u64, InvalidMessage)>, StoreError> {
        Ok(Vec::new())
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        Ok(Totals::default())
    }
}
