//! Passing over what a partition does not have any more.

use std::sync::Arc;

use crate::broker::Consumer;
use crate::clock::Clock;
use crate::failure::RunError;
use crate::store::{Batch, Entry, Recovered, Store, Subject};
use crate::stream::PartitionId;

/// Notes what lies below the offset at which a partition is read for the first time: it was gone
/// before. Otherwise the cursor would stay before it, and all behind it would be read again at each
/// start. What is lost of a partition that was read before, the loop is told.
pub(super) async fn pass(
    store: &mut dyn Store,
    consumer: &dyn Consumer,
    recovered: &Recovered,
    clock: &Clock,
) -> Result<(), RunError> {
    let is_known = |id: &Arc<PartitionId>| recovered.cursors.iter().any(|(known, _)| known == id);
    let passed = consumer.starts().into_iter().filter_map(|(partition, start)| {
        if is_known(&partition) {
            return None;
        }
        let (first, last) = (0, start.checked_sub(1)?);
        let subject = Subject::Passed { partition, first, last };
        (first <= last).then(|| Entry::of(subject, Vec::new()))
    });
    let entries: Vec<Entry> = passed.collect();
    if !entries.is_empty() {
        store.commit(&Batch { time_ms: clock.now_ms(), entries, ..Batch::default() }).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::broker::{BrokerError, Lost, Record};
    use crate::committed::Committed;
    use crate::store::memory::MemoryStore;
    use crate::store::{Catalog, OpenStore, Renames};

    /// A consumer of a partition whose first records are gone.
    struct Late(Arc<PartitionId>);

    #[async_trait]
    impl Consumer for Late {
        async fn fetch(&mut self, _: usize, _: usize) -> Result<Vec<Record>, BrokerError> {
            std::future::pending().await
        }

        async fn settle(&mut self, _: &[Committed]) -> Result<(), BrokerError> {
            Ok(())
        }

        fn starts(&self) -> Vec<(Arc<PartitionId>, u64)> {
            vec![(Arc::clone(&self.0), 7)]
        }

        fn lost(&mut self) -> Vec<Lost> {
            Vec::new()
        }

        fn pause(&mut self, _: &PartitionId) {}

        fn resume(&mut self, _: &PartitionId) {}
    }

    #[tokio::test]
    async fn a_service_that_comes_late_reads_on_from_where_it_began() {
        let memory = MemoryStore::new(1);
        let partition =
            PartitionId { cluster: "c".into(), topic: "t".into(), incarnation: 1, partition: 0 };
        let consumer = Late(Arc::new(partition));
        for before in [None, Some(7), Some(7)] {
            let opened = Box::new(memory.clone()).open("s".into()).await.unwrap();
            let mut store = opened.store;
            let adopted = store.adopt(Catalog::default(), Renames::default()).await.unwrap();
            let cursor = adopted.cursors.first().map(|(_, done)| done.next_missing(0));
            assert_eq!(cursor, before, "what was never there is passed over once");
            pass(&mut *store, &consumer, &adopted, &Clock::fixed(0)).await.unwrap();
        }
    }
}
