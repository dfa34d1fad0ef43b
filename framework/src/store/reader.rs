//! Reading what is durable, for every store that is made of tables.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;

use super::change::{Id, KeptRow};
use super::form::decode;
use super::layers::{RowId, Table};
use super::page::page;
use super::scan::scan;
use super::states::{Cold, Memtable, Shared};
use super::tables::plan::timer_row;
use super::{
    InvalidMessage, Kept, KeptMessage, Reader, Scheduled, StoreError, StoredState, Timer, TimerId,
    Totals, Unhandled, Wait,
};
use crate::delivery::StateValue;
use crate::stream::Key;
use crate::tasks::blocking;

mod kept;

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

/// Rows of what is kept, those behind a number.
fn kept_from(memtable: &Memtable, after: Option<u64>) -> impl Iterator<Item = &KeptRow> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    memtable.kept.range((from, Bound::Unbounded)).map(|(_, row)| row)
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

    /// Reads rows: on tokio's blocking threads where something lies behind.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shared, Option<&dyn Cold>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (shared, cold) = (Arc::clone(&self.shared), self.cold.clone());
        if cold.is_none() {
            return read(&shared, None);
        }
        blocking(move || read(&shared, cold.as_deref())).await.map_err(StoreError::failed)?
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
        self.read(move |shared, cold| scan(shared, cold, &name, after.as_deref(), most)).await
    }

    async fn state_names(&self) -> Result<Vec<Arc<str>>, StoreError> {
        let mut names: Vec<_> =
            self.shared.read().state_names.iter().map(|(_, name)| Arc::clone(name)).collect();
        names.sort();
        Ok(names)
    }

    async fn sent_from(&self, source: &str) -> Result<u64, StoreError> {
        Ok(self.shared.read().intake.get(source).copied().unwrap_or(0))
    }

    async fn schedules(&self) -> Result<Vec<Scheduled>, StoreError> {
        Ok(self.shared.read().schedules.values().cloned().collect())
    }

    async fn sources(
        &self,
        after: Option<Arc<str>>,
        most: usize,
    ) -> Result<Vec<(Arc<str>, u64)>, StoreError> {
        let memtable = self.shared.read();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let found = memtable.intake.range((from, Bound::Unbounded)).take(most);
        Ok(found.map(|(source, next)| (Arc::clone(source), *next)).collect())
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

    async fn kept(&self, after: Option<u64>, most: usize) -> Result<Vec<Kept>, StoreError> {
        let memtable = self.shared.read();
        let rows = kept_from(&memtable, after).filter(|row| row.wait != Wait::Unhandled);
        rows.take(most).map(|row| kept::of(&memtable, row)).collect()
    }

    async fn unhandled(
        &self,
        after: Option<u64>,
        most: usize,
    ) -> Result<Vec<Unhandled>, StoreError> {
        let memtable = self.shared.read();
        let rows = kept_from(&memtable, after).filter(|row| row.wait == Wait::Unhandled);
        rows.take(most).map(|row| kept::unhandled(&memtable, row)).collect()
    }

    async fn kept_messages(
        &self,
        numbers: Vec<u64>,
    ) -> Result<Vec<Option<KeptMessage>>, StoreError> {
        self.read(move |shared, cold| {
            numbers.into_iter().map(|number| kept::message(shared, cold, number)).collect()
        })
        .await
    }

    async fn timers(&self, after: Option<TimerId>, most: usize) -> Result<Vec<Timer>, StoreError> {
        self.read(move |shared, cold| {
            let rows = page(shared, cold, Table::Timers, after.map(timer_row), most)?;
            let memtable = shared.read();
            rows.iter().map(|(_, row)| kept::timer(&memtable, row)).collect()
        })
        .await
    }

    async fn invalid(
        &self,
        after: Option<u64>,
        most: usize,
    ) -> Result<Vec<(u64, InvalidMessage)>, StoreError> {
        self.read(move |shared, cold| {
            let after = after.map(|number| RowId(Table::Invalid, number, 0));
            let rows = page(shared, cold, Table::Invalid, after, most)?.into_iter();
            rows.map(|(id, row)| Ok((id.1, decode(&row).map_err(StoreError::failed)?))).collect()
        })
        .await
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        Ok(self.shared.read().totals)
    }
}
