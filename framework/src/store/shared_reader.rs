//! A reader that many share, and that one closes for all of them.

use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;

use super::{
    InvalidMessage, Kept, KeptMessage, Reader, Scheduled, StoreError, StoredState, Timer, TimerId,
    Totals, Unhandled,
};
use crate::delivery::StateValue;
use crate::stream::Key;

/// Reads a store until it is closed, then says [`StoreError::Closed`]. Whoever holds one keeps no
/// store open: a read that is under way does, until it ends.
#[derive(Debug)]
pub(crate) struct SharedReader(RwLock<Option<Arc<dyn Reader>>>);

impl SharedReader {
    pub(crate) fn new(reader: Arc<dyn Reader>) -> Self {
        SharedReader(RwLock::new(Some(reader)))
    }

    /// Ends reading for everybody.
    pub(crate) fn close(&self) {
        let reader = self.0.write().unwrap_or_else(PoisonError::into_inner).take();
        // What the reader's own drop does is not done under the lock.
        drop(reader);
    }

    fn open(&self) -> Result<Arc<dyn Reader>, StoreError> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(StoreError::Closed)
    }
}

#[async_trait]
impl Reader for SharedReader {
    async fn states(&self, keys: Vec<(Arc<str>, Key)>) -> Result<Vec<StoredState>, StoreError> {
        self.open()?.states(keys).await
    }

    async fn scan(
        &self,
        name: Arc<str>,
        after: Option<Key>,
        most: usize,
    ) -> Result<Vec<(Key, StateValue)>, StoreError> {
        self.open()?.scan(name, after, most).await
    }

    async fn state_names(&self) -> Result<Vec<Arc<str>>, StoreError> {
        self.open()?.state_names().await
    }

    async fn sent_from(&self, source: &str) -> Result<u64, StoreError> {
        self.open()?.sent_from(source).await
    }

    async fn schedules(&self) -> Result<Vec<Scheduled>, StoreError> {
        self.open()?.schedules().await
    }

    async fn sources(
        &self,
        after: Option<Arc<str>>,
        most: usize,
    ) -> Result<Vec<(Arc<str>, u64)>, StoreError> {
        self.open()?.sources(after, most).await
    }

    async fn sent(&self) -> Result<Vec<(Arc<str>, u64)>, StoreError> {
        self.open()?.sent().await
    }

    async fn kept(&self, after: Option<u64>, most: usize) -> Result<Vec<Kept>, StoreError> {
        self.open()?.kept(after, most).await
    }

    async fn kept_messages(
        &self,
        numbers: Vec<u64>,
    ) -> Result<Vec<Option<KeptMessage>>, StoreError> {
        self.open()?.kept_messages(numbers).await
    }

    async fn timers(&self, after: Option<TimerId>, most: usize) -> Result<Vec<Timer>, StoreError> {
        self.open()?.timers(after, most).await
    }

    async fn invalid(
        &self,
        after: Option<u64>,
        most: usize,
    ) -> Result<Vec<(u64, InvalidMessage)>, StoreError> {
        self.open()?.invalid(after, most).await
    }

    async fn unhandled(
        &self,
        after: Option<u64>,
        most: usize,
    ) -> Result<Vec<Unhandled>, StoreError> {
        self.open()?.unhandled(after, most).await
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        self.open()?.totals().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OpenStore;
    use crate::store::memory::MemoryStore;

    #[tokio::test]
    async fn one_that_is_closed_reads_nothing_and_keeps_nothing() {
        let opened = Box::new(MemoryStore::new(1)).open("s".into()).await.unwrap();
        let weak = Arc::downgrade(&opened.reader);
        let reader = SharedReader::new(opened.reader);
        assert_eq!(reader.sent_from("a").await.unwrap(), 0);
        reader.close();
        assert!(weak.upgrade().is_none());
        assert!(matches!(reader.sent_from("a").await, Err(StoreError::Closed)));
    }
}
