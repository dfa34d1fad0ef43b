//! Reading what is durable, for every store that is made of tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::states::{Cold, Shared, scan};
use super::{Reader, StoreError, StoredState};
use crate::delivery::StateValue;
use crate::stream::Key;
use crate::tasks::blocking;

/// Reads what the tables show, and what lies behind them on tokio's blocking threads.
#[derive(Debug)]
pub(super) struct TablesReader {
    pub(super) shared: Arc<Shared>,
    pub(super) cold: Option<Arc<dyn Cold>>,
}

impl TablesReader {
    /// The states that are in memory; `None` for those that are not.
    fn in_memory(&self, keys: &[(Arc<str>, Key)]) -> Vec<Option<StoredState>> {
        let memtable = self.shared.read();
        let find = |(name, key): &(Arc<str>, Key)| {
            let id = memtable.state_names.id(name);
            let none = StoredState { version: 0, value: None };
            match (id, &self.cold) {
                (None, _) => Some(none),
                (Some(id), None) => Some(memtable.get(id, key).cloned().unwrap_or(none)),
                (Some(id), Some(_)) => memtable.get(id, key).cloned(),
            }
        };
        keys.iter().map(find).collect()
    }
}

#[async_trait]
impl Reader for TablesReader {
    async fn states(&self, keys: Vec<(Arc<str>, Key)>) -> Result<Vec<StoredState>, StoreError> {
        let found = self.in_memory(&keys);
        let Some(cold) = self.cold.as_ref().filter(|_| found.iter().any(Option::is_none)) else {
            return Ok(found.into_iter().flatten().collect());
        };
        let (shared, cold) = (Arc::clone(&self.shared), Arc::clone(cold));
        blocking(move || {
            let read = |(state, (name, key)): (Option<StoredState>, (Arc<str>, Key))| {
                if let Some(state) = state {
                    return Ok(state);
                }
                // Looked up under the lock: a checkpoint that ends meanwhile moves states behind.
                let memtable = shared.read();
                match memtable.state_names.id(&name) {
                    Some(id) => match memtable.get(id, &key) {
                        Some(found) => Ok(found.clone()),
                        None => cold.state(id, &key),
                    },
                    None => Ok(StoredState { version: 0, value: None }),
                }
            };
            found.into_iter().zip(keys).map(read).collect()
        })
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
}
