//! A store in memory whose commits take their time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::{Dice, pass};
use crate::store::memory::MemoryStore;
use crate::store::{
    Batch, Catalog, CommitError, Durable, OpenStore, Opened, Recovered, Renames, Store, StoreError,
};

/// A store in memory that may take its time, and in which a service may keep its marks.
pub(super) struct Placed {
    pub(super) store: MemoryStore,
    pub(super) directory: Option<PathBuf>,
    pub(super) lag: Lag,
}

#[derive(Clone)]
pub(super) struct Lag {
    pub(super) dice: Arc<Mutex<Dice>>,
    /// So many commits of a hundred take up to two seconds.
    pub(super) percent: u64,
}

#[async_trait]
impl OpenStore for Placed {
    async fn open(self: Box<Self>, service: Arc<str>) -> Result<Opened, StoreError> {
        let Placed { store, directory, lag } = *self;
        let opened = Box::new(store).open(service).await?;
        let store = Box::new(Lagging { store: opened.store, lag });
        Ok(Opened { directory, store, ..opened })
    }
}

struct Lagging {
    store: Box<dyn Store>,
    lag: Lag,
}

#[async_trait]
impl Store for Lagging {
    async fn adopt(&mut self, catalog: Catalog, renames: Renames) -> Result<Recovered, StoreError> {
        self.store.adopt(catalog, renames).await
    }

    async fn commit(&mut self, batch: &Batch) -> Result<Durable, CommitError> {
        let lags = |dice: &mut Dice| {
            (dice.roll(100) < self.lag.percent).then(|| Duration::from_millis(dice.roll(2_000)))
        };
        let (before, after) = {
            let dice = &mut *self.lag.dice.lock().unwrap();
            (lags(dice), lags(dice))
        };
        pass(before.unwrap_or_default()).await;
        let durable = self.store.commit(batch).await;
        pass(after.unwrap_or_default()).await;
        durable
    }

    async fn resolve(&mut self, id: u64) -> Result<Option<Durable>, CommitError> {
        self.store.resolve(id).await
    }

    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        self.store.close().await
    }
}
